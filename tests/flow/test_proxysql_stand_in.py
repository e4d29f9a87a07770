"""The lab's stand-in for ProxySQL: what was observed of the real one (facts/08), over its own ports."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

IMAGE = Path(__file__).parents[2] / "keybuzz/lab/images/proxysql"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    admin, traffic = free_port(), free_port()
    (tmp_path / "proxysql.cnf").write_text(
        f"""admin_variables={{ admin_credentials="kb:first-1" mysql_ifaces="127.0.0.1:{admin}" }}
mysql_variables={{ interfaces="127.0.0.1:{traffic}" }}
mysql_users=( {{ username="erp", password="known-1", default_hostgroup=10 }} )
"""
    )
    argv = [sys.executable, "-m", "proxysql", "-f", "-c", str(tmp_path / "proxysql.cnf")]
    with subprocess.Popen([*argv, "-D", str(tmp_path)], cwd=IMAGE) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    connect(traffic, "erp", "known-1").close()
                    break
                except pymysql.Error:
                    assert time.monotonic() < deadline
            yield admin, traffic
        finally:
            process.terminate()


def connect(port: int, user: str, password: str) -> Any:
    return pymysql.connect(host="127.0.0.1", port=port, user=user, password=password)


def test_default_and_wrong_logins_are_refused(ports: tuple[int, int]) -> None:
    admin, traffic = ports
    for port, user, password in ((admin, "admin", "admin"), (traffic, "erp", "wrong")):
        with pytest.raises(pymysql.err.OperationalError, match="ProxySQL Error: Access denied"):
            connect(port, user, password)


def test_layers_are_apart_until_loaded_and_saved(ports: tuple[int, int]) -> None:
    with connect(ports[0], "kb", "first-1") as connection, connection.cursor() as cursor:
        counts = "SELECT (SELECT COUNT(*) FROM {}mysql_servers)"
        for statement, place, number in (
            (
                "INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (10, '127.0.0.9')",
                "",
                "1",
            ),
            ("SELECT 1", "runtime_", "0"),
            ("LOAD MYSQL SERVERS TO RUNTIME", "runtime_", "1"),
            ("SELECT 1", "disk.", "0"),
            ("SAVE MYSQL SERVERS TO DISK", "disk.", "1"),
        ):
            cursor.execute(statement)
            cursor.execute(counts.format(place))
            assert cursor.fetchall() == ((number,),)
        with pytest.raises(pymysql.err.OperationalError, match="Admin Error: no such table: nope"):
            cursor.execute("SELECT * FROM nope")

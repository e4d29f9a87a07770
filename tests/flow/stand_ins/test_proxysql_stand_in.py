"""The lab's stand-in for ProxySQL: what was observed of the real one (facts/08), over its own ports."""

from __future__ import annotations

import ctypes
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from tests.flow.servers.proxysql_server import Ports, connect, stand_in


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    with stand_in(tmp_path) as found:
        yield found


def test_default_and_wrong_logins_are_refused(ports: Ports) -> None:
    for port, user, password in ((ports.admin, "admin", "admin"), (ports.traffic, "erp", "wrong")):
        with pytest.raises(pymysql.err.OperationalError, match="ProxySQL Error: Access denied"):
            connect(port, user, password)


def test_the_file_counts_once(tmp_path: Path) -> None:
    with stand_in(tmp_path) as ports:
        connect(ports.admin, "kb", "first-1").close()
    with stand_in(tmp_path, ports, password="second-2"):
        connect(ports.admin, "kb", "first-1").close()
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            connect(ports.admin, "kb", "second-2")


def test_layers_are_apart_until_loaded_and_saved(ports: Ports) -> None:
    with connect(ports.admin, "kb", "first-1") as connection, connection.cursor() as cursor:
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


def test_it_ends_by_whatever_thread_takes_the_signal(tmp_path: Path) -> None:
    """Under load another thread took SIGTERM, the one that waited for it was not woken, and a test hung for good."""
    with stand_in(tmp_path):
        found = [p for p in Path("/proc").glob("[0-9]*/cmdline") if _names(p, tmp_path)]
        [process] = [path.parent for path in found]
        others = [int(task.name) for task in (process / "task").iterdir()]
        others.remove(int(process.name))
        assert ctypes.CDLL(None).tgkill(int(process.name), others[0], signal.SIGTERM) == 0
        deadline = time.monotonic() + 20
        while _names(process / "cmdline", tmp_path):
            assert time.monotonic() < deadline, "it goes on"
            time.sleep(0.02)


def _names(cmdline: Path, folder: Path) -> bool:
    try:
        return b"-m\0proxysql" in cmdline.read_bytes() and bytes(folder) in cmdline.read_bytes()
    except OSError:
        return False

"""The lab's stand-in for ProxySQL as a process of its own, on free ports."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

IMAGE = Path(__file__).parents[3] / "tasks/proxysql/stand_in/proxysql"
ADMIN, ADMIN_PASSWORD = "kb", "first-1"


@dataclass(frozen=True)
class Ports:
    """Where it listens on 127.0.0.1."""

    admin: int
    traffic: int
    log: Path
    """What it says."""


@contextmanager
def stand_in(
    folder: Path, same: Ports | None = None, password: str = ADMIN_PASSWORD
) -> Iterator[Ports]:
    """Run one with the user erp:known-1; ended afterwards. `same`: the ports of the one that was there before."""
    ports = same or Ports(_free_port(), _free_port(), folder / "log")
    cnf = folder / "proxysql.cnf"
    cnf.write_text(
        f"""admin_variables={{ admin_credentials="{ADMIN}:{password}" mysql_ifaces="127.0.0.1:{ports.admin}" }}
mysql_variables={{ interfaces="127.0.0.1:{ports.traffic}" }}
mysql_users=( {{ username="erp", password="known-1", default_hostgroup=10 }} )
"""
    )
    argv = [sys.executable, "-m", "proxysql", "-f", "-c", str(cnf), "-D", str(folder)]
    with (
        ports.log.open("wb") as log,
        subprocess.Popen(argv, cwd=IMAGE, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    connect(ports.traffic, "erp", "known-1").close()
                    break
                except pymysql.Error:
                    assert time.monotonic() < deadline
            yield ports
        finally:
            process.terminate()


def connect(port: int, user: str, password: str) -> Any:
    return pymysql.connect(host="127.0.0.1", port=port, user=user, password=password)


def tell(ports: Ports, *statements: str) -> list[tuple[str, ...]]:
    """Run statements at the admin port, as somebody does by hand; return the rows of the last one."""
    with connect(ports.admin, ADMIN, ADMIN_PASSWORD) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])

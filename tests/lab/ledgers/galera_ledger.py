"""Writes to MariaDB as the application does, straight at a node, and remembers what was acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

ADDRESSES = {"maria-01": "10.0.0.170", "maria-02": "10.0.0.171", "maria-03": "10.0.0.172"}
_PATIENCE = 120.0


class GaleraLedger:
    """Rows that the cluster has acknowledged."""

    def __init__(self, kbz: Kbz, first: int = 0) -> None:
        self._kbz = kbz
        self._acknowledged: set[int] = set()
        self._next = first

    @contextmanager
    def node(self, host: str, user: str = "APP") -> Iterator[Any]:
        """Give a connection to one node, as the application or as the administrator."""
        known = load_credentials(self._kbz.root / "credentials")
        name = "root" if user == "ROOT" else known[f"MARIADB_{user}_USER"].reveal()
        with visiting(NAMESPACES / self._kbz.root.name):
            connection = pymysql.connect(
                host=ADDRESSES[host],
                user=name,
                password=known[f"MARIADB_{user}_PASSWORD"].reveal(),
                database=known["MARIADB_DB"].reveal() if user == "APP" else None,
                connect_timeout=3,
                read_timeout=20,
                autocommit=True,
            )
            try:
                yield connection
            finally:
                connection.close()

    def ask(self, host: str, statement: str, user: str = "ROOT") -> tuple[tuple[Any, ...], ...]:
        """Return the rows of one statement on one node."""
        with self.node(host, user) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
            return rows

    def status(self, host: str, name: str) -> str:
        """Return one value of SHOW GLOBAL STATUS; empty when the node does not answer."""
        try:
            return str(self.ask(host, f"SHOW GLOBAL STATUS LIKE '{name}'")[0][1])
        except (pymysql.Error, IndexError):
            return ""

    def write(self, host: str) -> None:
        """Write one row on a node, for as long as it takes to be acknowledged."""
        self._next += 1
        row = self._next
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self.node(host) as connection, connection.cursor() as cursor:
                    cursor.execute("CREATE TABLE IF NOT EXISTS ledger (id INT PRIMARY KEY)")
                    cursor.execute(f"REPLACE INTO ledger VALUES ({row})")
                break
            except pymysql.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self._acknowledged.add(row)

    def missing(self, host: str) -> set[int]:
        """Return acknowledged rows that a node does not have, after it has caught up."""
        with self.node(host) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION wsrep_sync_wait = 1")
            cursor.execute("SELECT id FROM ledger")
            return self._acknowledged - {row[0] for row in cursor.fetchall()}

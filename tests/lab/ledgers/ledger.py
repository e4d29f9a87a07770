"""Writes to the cluster as the application does, and remembers every acknowledged row."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import psycopg2

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

_HOSTS = "10.0.0.120,10.0.0.121,10.0.0.122"
_PATIENCE = 60.0


class Ledger:
    """A table in the application's database, and the numbers that PostgreSQL has acknowledged.

    The load balancers come with the next modules; until then libpq itself looks for the writable node.
    """

    def __init__(self, kbz: Kbz) -> None:
        self._kbz = kbz
        self._acknowledged: set[int] = set()
        self._next = 0
        self._connection: Any = None

    def __enter__(self) -> Ledger:
        self._execute("drop table if exists ledger")
        self._execute("create table ledger (number bigint primary key)")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def write(self) -> None:
        """Write one row, for as long as it takes to be acknowledged."""
        self._next += 1
        self._execute("insert into ledger values (%s) on conflict do nothing", (self._next,))
        self._acknowledged.add(self._next)

    def drop(self) -> None:
        """Drop the table, as nobody means to."""
        self._execute("drop table ledger")

    def rows(self) -> int:
        return int(self.query("select count(*) from ledger"))

    def missing(self) -> set[int]:
        """Return acknowledged rows that are not there."""
        found = self._execute("select array_agg(number) from ledger")[0][0] or []
        return self._acknowledged - set(found)

    def query(self, statement: str) -> Any:
        return self._execute(statement)[0][0]

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self._open().cursor() as cursor:
                    cursor.execute(statement, values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg2.Error:
                self._close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _open(self) -> Any:
        if self._connection is None:
            store = load_credentials(self._kbz.root / "credentials")
            with visiting(NAMESPACES / self._kbz.root.name):
                self._connection = psycopg2.connect(
                    host=_HOSTS,
                    user=store["POSTGRES_APP_USER"].reveal(),
                    password=store["POSTGRES_APP_PASS"].reveal(),
                    dbname=store["POSTGRES_DB"].reveal(),
                    target_session_attrs="read-write",
                    connect_timeout=2,
                    tcp_user_timeout=4000,
                )
            self._connection.autocommit = True
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

"""An application of the lab: its sessions come from the controller's network, through the load balancer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

BALANCER = "10.0.0.10"
PORTS = (5432, 6432)
_WHERE = "select pg_is_in_recovery(), txid_current()"


@dataclass
class Traffic:
    """What new sessions came to while something else happened."""

    sessions: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Application:
    """The application's credentials, in the lab that it lives in."""

    kbz: Kbz

    def connect(self, port: int, host: str = BALANCER, patience: int = 4) -> Any:
        """Return a session of kb_app; `patience` is in seconds."""
        store = load_credentials(self.kbz.root / "credentials")
        with visiting(NAMESPACES / self.kbz.root.name):
            connection = psycopg2.connect(
                host=host,
                port=port,
                user=store["POSTGRES_APP_USER"].reveal(),
                password=store["POSTGRES_APP_PASS"].reveal(),
                dbname=store["POSTGRES_DB"].reveal(),
                connect_timeout=patience,
                tcp_user_timeout=patience * 1000,
            )
        connection.autocommit = True
        return connection

    def query(self, connection: Any, statement: str, values: tuple[object, ...] = ()) -> Any:
        """Run a statement; return the first row, or None."""
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone() if cursor.description else None

    def writes(self, port: int, host: str = BALANCER) -> bool:
        """Return whether a new session there can write now."""
        try:
            with closing(self.connect(port, host)) as connection:
                self.query(connection, "create table if not exists probe (at timestamptz)")
                self.query(connection, "insert into probe values (now())")
                return True
        except psycopg2.Error:
            return False

    @contextmanager
    def traffic(self) -> Iterator[Traffic]:
        """Open one session after the other through both ports of the load balancer, during the block."""
        seen, stop = Traffic(), threading.Event()

        def work() -> None:
            while not stop.is_set():
                for port in PORTS:
                    self._visit(port, seen)

        thread = threading.Thread(target=work, name="traffic")
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join(30)

    def _visit(self, port: int, seen: Traffic) -> None:
        try:
            with closing(self.connect(port)) as connection:
                replica, _ = self.query(connection, _WHERE)
                if replica:
                    seen.failures.append(f"{port}: led to a replica")
            seen.sessions += 1
        except psycopg2.Error as error:
            seen.failures.append(f"{port} at {time.monotonic():.1f}: {error}")

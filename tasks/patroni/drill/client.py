"""Rows in PostgreSQL: an insert of its own transaction each, confirmed by its commit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

if TYPE_CHECKING:
    from psycopg.abc import PQGen

Value = TypeVar("Value")


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return PostgresClient(workload)


class _Patient(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait for an answer has an end."""

    def wait(self, gen: PQGen[Value], interval: float = 0.1, timeout: float | None = None) -> Value:
        """Wait as psycopg does, for PATIENCE at most; OperationalError when the other side is silent for longer."""
        return super().wait(gen, interval, PATIENCE if timeout is None else timeout)


class PostgresClient:
    """One connection of psycopg, in which each statement is a transaction of its own."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._connection: _Patient | None = None

    def prepare(self) -> None:
        """Make the table, empty."""
        self._run(f"drop table if exists {self._workload.place}")
        self._run(f"create table {self._workload.place} (number bigint primary key)")

    def write(self, number: int) -> None:
        """Insert one row, which is committed when this returns."""
        self._run(f"insert into {self._workload.place} values (%s)", (number,))

    def read(self) -> frozenset[int]:
        """Return every number in the table."""
        return frozenset(row[0] for row in self._run(f"select number from {self._workload.place}"))

    def remove(self) -> None:
        """Drop the table."""
        self._run(f"drop table if exists {self._workload.place}")

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        connection = self._open()
        try:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            self.close()
            raise UnconfirmedError(_sentence(error)) from error

    def _open(self) -> _Patient:
        if self._connection is None:
            asked = self._workload
            try:
                self._connection = _Patient.connect(
                    host=asked.address,
                    port=asked.port,
                    user=asked.user,
                    password=asked.password.reveal(),
                    dbname=asked.database,
                    application_name=asked.place,
                    connect_timeout=max(1, round(PATIENCE)),
                    autocommit=True,
                    prepare_threshold=None,  # PgBouncer gives each transaction another server
                )
            except psycopg.Error as error:
                self.close()
                raise NotSentError(_sentence(error)) from error
        return self._connection


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

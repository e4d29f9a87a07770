"""Rows in PostgreSQL: an insert of its own transaction each, confirmed by its commit."""

from __future__ import annotations

import select
import time
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2 import extensions

from keybuzz.engine.drill.clients import PATIENCE, Client, NotSentError, UnconfirmedError
from keybuzz.model.reports.drill import Workload


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return PostgresClient(workload)


class PostgresClient:
    """An asynchronous connection of psycopg2: only so can a wait for an answer have an end."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._connection: Any = None

    def prepare(self) -> None:
        """Make the table, empty."""
        self._run(f"drop table if exists {self._workload.place}")
        self._run(f"create table {self._workload.place} (number bigint primary key)")

    def write(self, number: int) -> None:
        """Insert one row; an asynchronous connection commits each statement by itself."""
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
            with suppress(psycopg2.Error):
                connection.close()

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        connection = self._open()
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            _wait(connection)
            return cursor.fetchall() if cursor.description else []
        except (psycopg2.Error, TimeoutError) as error:
            self.close()
            raise UnconfirmedError(_sentence(error)) from error

    def _open(self) -> Any:
        if self._connection is None:
            asked = self._workload
            try:
                self._connection = psycopg2.connect(
                    host=asked.address,
                    port=asked.port,
                    user=asked.user,
                    password=asked.password.reveal(),
                    dbname=asked.database,
                    application_name=asked.place,
                    async_=1,
                )
                _wait(self._connection)
            except (psycopg2.Error, TimeoutError) as error:
                self.close()
                raise NotSentError(_sentence(error)) from error
        return self._connection


def _wait(connection: Any) -> None:
    """Let libpq work until it is done; TimeoutError when the other side is silent for too long."""
    deadline = time.monotonic() + PATIENCE
    while (state := connection.poll()) != extensions.POLL_OK:
        left = deadline - time.monotonic()
        reading = [connection.fileno()] if state == extensions.POLL_READ else []
        writing = [connection.fileno()] if state == extensions.POLL_WRITE else []
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            raise TimeoutError(f"no answer within {PATIENCE:g} s")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

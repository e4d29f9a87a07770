"""Rows in MariaDB: an insert of its own transaction each, confirmed by its commit."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pymysql

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

_FAULTS = (pymysql.MySQLError, OSError, EOFError, ValueError)
"""What PyMySQL raises when the other side is gone in the middle of a packet."""


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return MysqlClient(workload)


class MysqlClient:
    """One connection that commits every statement by itself."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._connection: Any = None

    def prepare(self) -> None:
        """Make the table, empty. Galera replicates InnoDB only, and wants a primary key."""
        self._run(f"drop table if exists {self._workload.place}")
        self._run(f"create table {self._workload.place} (number bigint primary key) engine=InnoDB")

    def write(self, number: int) -> None:
        """Insert one row."""
        self._run(f"insert into {self._workload.place} values (%s)", (number,))

    def read(self) -> frozenset[int]:
        """Return every number in the table."""
        return frozenset(
            int(row[0]) for row in self._run(f"select number from {self._workload.place}")
        )

    def remove(self) -> None:
        """Drop the table."""
        self._run(f"drop table if exists {self._workload.place}")

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*_FAULTS):
                connection.close()

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        connection = self._open()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        except _FAULTS as error:
            self.close()
            raise UnconfirmedError(str(error)) from error

    def _open(self) -> Any:
        if self._connection is None:
            asked = self._workload
            try:
                self._connection = pymysql.connect(
                    host=asked.address,
                    port=asked.port,
                    user=asked.user,
                    password=asked.password.reveal(),
                    database=asked.database,
                    autocommit=True,
                    connect_timeout=int(PATIENCE),
                    read_timeout=int(PATIENCE),
                    write_timeout=int(PATIENCE),
                    program_name=asked.place,
                )
            except _FAULTS as error:
                raise NotSentError(str(error)) from error
        return self._connection

"""Applications that write to MariaDB through the load balancer all the time, and on which node each row was written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pymysql

TABLE = "moved"
_INSERT = f"INSERT INTO {TABLE} (word) VALUES ('on the way')"


class Writers:
    """One application with a session for each row, and one that keeps its session. Nothing is tried again."""

    def __init__(self, connect: Callable[[], pymysql.Connection[Any]]) -> None:
        self.nodes: list[str] = []
        """Where rows of new sessions were written, in their order."""
        self.errors: list[str] = []
        """Of new sessions."""
        self.kept_errors: list[str] = []
        """Of the session that is kept."""
        self.longest = 0.0
        """Seconds that one row of a new session took."""
        self._connect, self._ended = connect, threading.Event()
        self._threads = [threading.Thread(target=act) for act in (self._again, self._one)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def way(self) -> list[str]:
        """The nodes in the order in which they took writes, each turn once."""
        turns = zip(["", *self.nodes], self.nodes, strict=False)
        return [now for before, now in turns if now != before]

    def _again(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                with self._connect() as session:
                    self.nodes.append(_write(session))
            except pymysql.Error as error:
                self.errors.append(str(error))
            self.longest = max(self.longest, time.monotonic() - began)

    def _one(self) -> None:
        with self._connect() as session:
            while not self._ended.wait(0.05):
                try:
                    _write(session)
                except pymysql.Error as error:
                    self.kept_errors.append(str(error))


def _write(session: pymysql.Connection[Any]) -> str:
    """Write a row; return the node that took it."""
    with session.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(_INSERT)
        cursor.execute("SELECT @@hostname")
        [(node,)] = cursor.fetchall()
        cursor.execute("COMMIT")
    return str(node)

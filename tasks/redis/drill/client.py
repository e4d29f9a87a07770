"""Members of one set in Redis, each confirmed by the master's reply."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return RedisClient(workload)


class RedisClient:
    """One connection that never repeats a command by itself: a repeated write would hide a lost one."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._connection: Any = None

    def prepare(self) -> None:
        """Remove what an earlier drill left; a set is made by its first member."""
        self._run("DEL", self._workload.place)

    def write(self, number: int) -> None:
        """Add one number to the set."""
        self._run("SADD", self._workload.place, str(number))

    def read(self) -> frozenset[int]:
        """Return every number in the set."""
        return frozenset(int(member) for member in self._run("SMEMBERS", self._workload.place))

    def remove(self) -> None:
        """Remove the set."""
        self._run("DEL", self._workload.place)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(redis.RedisError, OSError):
                connection.close()

    def _run(self, *words: str) -> Any:
        connection = self._open()
        try:
            return connection.execute_command(*words)
        except (redis.RedisError, OSError) as error:
            self.close()
            raise UnconfirmedError(str(error)) from error

    def _open(self) -> Any:
        if self._connection is None:
            asked = self._workload
            made = redis.Redis(
                host=asked.address,
                port=asked.port,
                password=asked.password.reveal(),
                socket_timeout=PATIENCE,
                socket_connect_timeout=PATIENCE,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=False,
                client_name=asked.place,
            )
            try:
                made.ping()
            except (redis.RedisError, OSError) as error:
                with suppress(redis.RedisError, OSError):
                    made.close()
                raise NotSentError(str(error)) from error
            self._connection = made
        return self._connection

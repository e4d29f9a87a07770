"""Clients that write as an application does, each with a library that is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeVar

from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.reports.drill import DRILL_PLACE, Workload, WorkloadKind

Value = TypeVar("Value")

NAME = DRILL_PLACE
"""Table, key or queue of a drill: kbz's own, made at its start and removed at its end."""
PATIENCE = 3.0
"""Seconds that a client waits for one answer before it connects anew."""
_LIBRARIES = {
    WorkloadKind.POSTGRESQL: ("psycopg", "psycopg[binary]"),
    WorkloadKind.REDIS: ("redis", "redis"),
    WorkloadKind.AMQP: ("pika", "pika"),
    WorkloadKind.MYSQL: ("pymysql", "PyMySQL"),
    WorkloadKind.S3: ("minio", "minio"),
    WorkloadKind.HTTP: ("http.client", "of Python itself"),
}


class NotSentError(KbzError):
    """A write never left: there was no connection."""


class UnconfirmedError(KbzError):
    """A write was sent, and no confirmation came: it may be there or not."""


class Client(Protocol):
    """One session to an official endpoint; it connects by itself, anew after every error.

    Every method raises NotSentError or UnconfirmedError when the service does not do what it should; none
    waits much longer than PATIENCE.
    """

    def prepare(self) -> None:
        """Make the probe's place, empty: what an earlier drill left there is removed."""

    def write(self, number: int) -> None:
        """Write one number and return when the service has confirmed it."""

    def read(self) -> frozenset[int]:
        """Return every number that is there."""

    def remove(self) -> None:
        """Remove the probe's place."""

    def close(self) -> None:
        """Close the connection; never raises."""


def client_of(workload: Workload) -> Client:
    """Return the client of a workload; RefusedError when its library is not installed."""
    library, package = _LIBRARIES[workload.kind]
    try:
        import_module(library)
    except ImportError as error:
        raise RefusedError(
            f"{workload.place} writes over {workload.kind.value}, and the library {package} is not installed",
            where="kbz drill",
            hint=f"pip install '{package}' where kbz runs; nothing was broken, and nothing written",
        ) from error
    module = import_module(f"keybuzz.engine.drill.clients.{workload.kind.value}")
    made: Client = module.connect(workload)
    return DiscreetClient(made, Redactor([workload.password]))


@dataclass(frozen=True, slots=True)
class DiscreetClient:
    """The same client, whose errors hold no password: a service may repeat what it was given."""

    client: Client
    redactor: Redactor

    def prepare(self) -> None:
        """See Client."""
        self._do(self.client.prepare)

    def write(self, number: int) -> None:
        """See Client."""
        self._do(lambda: self.client.write(number))

    def read(self) -> frozenset[int]:
        """See Client."""
        return self._do(self.client.read)

    def remove(self) -> None:
        """See Client."""
        self._do(self.client.remove)

    def close(self) -> None:
        """See Client."""
        self.client.close()

    def _do(self, act: Callable[[], Value]) -> Value:
        try:
            return act()
        except (NotSentError, UnconfirmedError) as error:
            raise type(error)(self.redactor.text(error.what)) from None

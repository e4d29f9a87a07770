"""Clients that write as an application does, each with a library that is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import Client, NotSentError, UnconfirmedError

Value = TypeVar("Value")


def client_of(workload: Workload) -> Client:
    """Return the client of a workload; RefusedError when its library is not installed."""
    kind = workload.kind
    try:
        import_module(kind.library)
    except ImportError as error:
        raise RefusedError(
            f"{workload.place} writes over {kind.name}, and the library {kind.package} is not installed",
            where="kbz drill",
            hint=f"pip install '{kind.package}' where kbz runs; nothing was broken, and nothing written",
        ) from error
    made: Client = import_module(kind.client).connect(workload)
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

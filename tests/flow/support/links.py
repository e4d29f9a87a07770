"""Connection plugins of the tests: a host that is away, and one whose requests are counted."""

from __future__ import annotations

from typing import Any

from nornir.core.plugins.connections import ConnectionPluginRegister

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.link import Target
from keybuzz.transport.local import LocalLink
from keybuzz.transport.session import Session
from keybuzz.transport.stream import Stream

AWAY = "kbz_test_away"
COUNTING = "kbz_test_counting"


class AwayLink(LocalLink):
    """A host that does not answer."""

    def connect(self, target: Target) -> Stream:
        """Fail as SSH does."""
        raise ContactError(f"nothing answers at {target.address}:22", where=target.name)


class CountingLink(LocalLink):
    """Tells of every request that goes to a host: the operation, and the host's name."""

    asked: list[tuple[str, str]]

    def connect(self, target: Target) -> Stream:
        """Begin to count with each connection."""
        self.asked = []
        self.name = target.name
        return super().connect(target)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Put the counter before the session."""
        super().open(*args, **kwargs)
        self.connection = _Counting(self.connection, self.asked)  # type: ignore[assignment]  # it quacks


class _Counting:
    """A session that writes down what it is asked."""

    def __init__(self, session: Session, asked: list[tuple[str, str]]) -> None:
        self._session = session
        self._asked = asked

    def request(self, op: str, *args: Any, **kwargs: Any) -> Any:
        """Write it down, then ask."""
        self._asked.append((op, self._session.where))
        return self._session.request(op, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def register() -> None:
    """Make both known to Nornir."""
    ConnectionPluginRegister.register(AWAY, AwayLink)
    ConnectionPluginRegister.register(COUNTING, CountingLink)

"""What checks ask of Redis and Sentinel, and the write that an entry is proven by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

from keybuzz.model.core.access import Looks, Probes
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret

Parsed = dict[str, str] | list[Any] | str | int | None
"""What one command answers: fields, a list of anything, a text, a number, or nothing; an error is {"error": text}."""


class RedisAnswer(TypedDict):
    """Of RedisQuery: answers by command."""

    denied: str
    replies: dict[str, Parsed]


class WriteAnswer(TypedDict):
    """Of RedisWrite."""

    accepted: bool
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class RedisQuery(Looks):
    """Ask Redis or Sentinel over its own protocol, with commands that only read.

    The answer is {"denied": why or "", "replies": {command: parsed answer or {"error": text}}}; no password is in it.
    """

    answers: ClassVar[type] = RedisAnswer
    name: str
    address: str
    port: int
    commands: tuple[tuple[str, ...], ...]
    password: Secret | None = None
    former: Secret | None = None
    """Tried where the password is not taken yet: a rotation is under way."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {
            "kind": "redis",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "commands": [list(words) for words in self.commands],
            "password": self.password.reveal() if self.password else "",
            "former": self.former.reveal() if self.former else "",
        }


@dataclass(frozen=True, slots=True)
class RedisWrite(Probes):
    """Write as an application does: a key that goes by itself after a minute.

    The answer is {"accepted": bool, "role": str, "reason": str}; `role` is what the node says of itself.
    """

    answers: ClassVar[type] = WriteAnswer
    name: str
    address: str
    port: int
    password: Secret
    key: str

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {
            "kind": "redis-write",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "password": self.password.reveal(),
            "key": self.key,
        }

"""What a node of Qdrant says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret


class QdrantAnswer(TypedDict):
    """Of QdrantLook."""

    version: str
    ready: bool
    """All its shards are, by /readyz."""
    accepted: bool
    """It takes the key."""
    reason: str
    """Why it does not; empty when it does."""
    guarded: bool
    """It refuses what has no key."""
    collections: int


@dataclass(frozen=True, slots=True)
class QdrantLook(Looks):
    """Ask a node over HTTP, with its key and without one (fields: QdrantAnswer)."""

    answers: ClassVar[type] = QdrantAnswer
    name: str
    address: str
    port: int
    key: Secret

    def query(self) -> Json:
        """Return the agent's frame, which holds the key: only for the node itself."""
        return {
            "kind": "qdrant",
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "key": self.key.reveal(),
        }

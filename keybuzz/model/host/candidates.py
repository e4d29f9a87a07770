"""Where an older installation keeps the credentials of a service, and what a host holds there. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


@dataclass(frozen=True, slots=True)
class Places:
    """Where older installations keep one credential of the store (facts/credentials.md)."""

    credential: str
    """Its canonical name in the store."""
    variables: tuple[str, ...] = ()
    """Names in the environment of a container."""
    options: tuple[str, ...] = ()
    """Options of a container's command, whose next word, or the part after `=`, is the value."""
    files: tuple[tuple[str, str], ...] = ()
    """Shell pattern of paths, and a regular expression of lines whose only group is the value."""


class CandidatesAnswer(TypedDict):
    """Of CredentialCandidates."""

    found: list[tuple[str, str, str]]
    """Credential, place, and the value as hexadecimal digits of UTF-8: masks are made for text, and this is none."""
    problems: list[str]
    """Places that could not be looked into."""


@dataclass(frozen=True, slots=True)
class CredentialCandidates(Looks):
    """What a host holds in these places. The answer holds secrets: only `kbz adopt --take-credentials` asks."""

    answers: ClassVar[type] = CandidatesAnswer

    name: str
    places: tuple[Places, ...]

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "credential-candidates",
            "name": self.name,
            "variables": {name: item.credential for item in self.places for name in item.variables},
            "options": {name: item.credential for item in self.places for name in item.options},
            "files": [
                [item.credential, pattern, line]
                for item in self.places
                for pattern, line in item.files
            ],
        }

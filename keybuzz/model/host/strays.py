"""What is on a host and no description explains. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Json


@dataclass(frozen=True, slots=True)
class Traces:
    """What a module leaves on its hosts beside its resources, so that it is not taken for a stray.

    Resources explain themselves; so does each folder that a described container may write, and the ports of its ground.
    """

    files: tuple[str, ...] = ()
    """Shell patterns of paths that its programs write by themselves; a folder stands for all in it."""
    units: tuple[str, ...] = ()
    """Shell patterns of systemd units."""
    cron: tuple[str, ...] = ()
    """Shell patterns of files of cron."""
    programs: tuple[str, ...] = ()
    """Programs that listen on the host's own address 127.0.0.1 on whichever port the kernel gives them."""
    keys: tuple[str, ...] = ()
    """Fingerprints of SSH keys that may log in."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that the descriptions of one host explain."""

    containers: frozenset[str]
    folders: frozenset[str]
    """Folders that are looked into: everything in them must be explained too."""
    files: frozenset[str]
    """Paths and patterns; a folder among them is not looked into."""
    ports: frozenset[int]
    units: frozenset[str]
    cron: frozenset[str]
    programs: frozenset[str]
    keys: frozenset[str] = frozenset()


class StraysAnswer(TypedDict):
    """Of StraySweep: each part, why a part could not be read, and the parts of which there is more."""

    containers: list[tuple[str, str, str]]
    """Name, image, state."""
    units: list[tuple[str, bool, bool]]
    """Name, whether it was made by hand, whether it is enabled."""
    cron: list[tuple[str, str, str]]
    """Path, id of the line, what it is."""
    ports: list[tuple[int, str, str]]
    """Port, address, program."""
    files: list[tuple[str]]
    doors: list[tuple[str, str]]
    """What the firewall lets in by hand, and what that means."""
    keys: list[tuple[str, str, str]]
    """Account, fingerprint of a key that may log in as it, and what is written beside it."""
    additions: list[tuple[str, str]]
    """Path, and what it does: drop-ins, sudo rules, what is run at boot, changed files of packages."""
    problems: dict[str, str]
    truncated: list[str]


@dataclass(frozen=True, slots=True)
class StraySweep(Looks):
    """Look for strays among what descriptions explain."""

    answers: ClassVar[type] = StraysAnswer

    name: str
    roots: tuple[str, ...]
    """Our folders."""
    explained: Explained

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "strays",
            "name": self.name,
            "roots": list(self.roots),
            "folders": sorted(self.explained.folders),
            "files": sorted(self.explained.files),
            "ports": sorted(self.explained.ports),
        }

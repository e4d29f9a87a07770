"""What checks need to know and no resource describes: answers without a wanted value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keybuzz.model.resource import Json


@dataclass(frozen=True, slots=True)
class HttpGet:
    """GET a URL of the host itself; the answer is {"status": int, "json": …}."""

    name: str
    url: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "http", "name": self.name, "url": self.url}


@dataclass(frozen=True, slots=True)
class Command:
    """Run a command that only reads; the answer is {"exit_code": int, "stdout": str, "stderr": str}."""

    name: str
    argv: tuple[str, ...]
    timeout: float = 10.0
    """Seconds."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "command",
            "name": self.name,
            "argv": list(self.argv),
            "timeout": self.timeout,
        }


@dataclass(frozen=True, slots=True)
class ContainerCommand:
    """Run a command inside a container; same answer as Command."""

    name: str
    container: str
    argv: tuple[str, ...]
    timeout: float = 10.0
    """Seconds."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "container-command",
            "name": self.name,
            "container": self.container,
            "argv": list(self.argv),
            "timeout": self.timeout,
        }


@dataclass(frozen=True, slots=True)
class DirectoryListing:
    """Names in a directory; the answer is {"there": bool, "names": [str]}."""

    name: str
    path: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "listing", "name": self.name, "path": self.path}


@dataclass(frozen=True, slots=True)
class FileText:
    """Text of a small file that holds no secret; the answer is {"text": str}."""

    name: str
    path: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "text", "name": self.name, "path": self.path}


Reading = HttpGet | Command | ContainerCommand | DirectoryListing | FileText


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered to one reading: a value, or why there is none."""

    name: str
    value: Any = None
    problem: str = ""

    @property
    def known(self) -> bool:
        """True when the host could read it."""
        return not self.problem

"""What checks need to know and no resource describes: answers without a wanted value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from keybuzz.model.core import answers as shapes
from keybuzz.model.core.access import Asked, Looks
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import DigestKey, Secret


@dataclass(frozen=True, slots=True)
class HttpGet(Looks):
    """GET a URL of the host itself; the answer is {"status": int, "json": …}."""

    answers: ClassVar[type] = shapes.HttpAnswer
    name: str
    url: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "http", "name": self.name, "url": self.url}


@dataclass(frozen=True, slots=True)
class Command(Looks):
    """Run a command that only reads; the answer is {"exit_code": int, "stdout": str, "stderr": str}."""

    answers: ClassVar[type] = shapes.CommandAnswer
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
class ContainerCommand(Looks):
    """Run a command inside a container; same answer as Command."""

    answers: ClassVar[type] = shapes.CommandAnswer
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
class ContainerLog(Looks):
    """{"restarts", "stdout", "stderr"}: how often Docker has restarted a container, and its last lines."""

    answers: ClassVar[type] = shapes.LogAnswer
    name: str
    container: str
    lines: int

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "container-log",
            "name": self.name,
            "container": self.container,
            "lines": self.lines,
        }


@dataclass(frozen=True, slots=True)
class DirectoryListing(Looks):
    """Names in a directory; the answer is {"there": bool, "names": [str]}."""

    answers: ClassVar[type] = shapes.ListingAnswer
    name: str
    path: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "listing", "name": self.name, "path": self.path}


@dataclass(frozen=True, slots=True)
class FileText(Looks):
    """Text of a small file that holds no secret; the answer is {"text": str}."""

    answers: ClassVar[type] = shapes.TextAnswer
    name: str
    path: str

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "text", "name": self.name, "path": self.path}


@dataclass(frozen=True, slots=True)
class SecretCopies(Looks):
    """Copies of credentials in files; the answer is {"copies": [{path, uid, gid, mode, names, current}], …}.

    The host compares: digests go there, and paths and names of variables come back, never content. The key is
    made for one command, so that a digest says nothing to whoever has an older one.
    """

    answers: ClassVar[type] = shapes.CopiesAnswer
    name: str
    patterns: tuple[str, ...]
    """Shell patterns of paths; links are not followed."""
    names: tuple[str, ...]
    """Variables whose assignment makes a file a copy."""
    files: tuple[str, ...]
    """Names of files that are copies whatever they hold."""
    key: DigestKey
    values: tuple[Secret, ...]

    def query(self) -> Json:
        """Return the agent's frame."""
        digests = {
            self.key.digest(secret.reveal().encode()).partition(":")[2]: secret.name
            for secret in self.values
        }
        return {
            "kind": "secret-copies",
            "name": self.name,
            "patterns": list(self.patterns),
            "names": list(self.names),
            "files": list(self.files),
            "key": self.key.key.hex(),
            "digests": digests,
        }


@dataclass(frozen=True, slots=True)
class SocketQuestion(Looks):
    """One line to a program's unix socket, which answers and hangs up; the answer is {"text": str}."""

    answers: ClassVar[type] = shapes.TextAnswer
    name: str
    path: str
    question: str
    timeout: float = 3.0
    """Seconds."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {
            "kind": "socket",
            "name": self.name,
            "path": self.path,
            "question": self.question,
            "timeout": self.timeout,
        }


@dataclass(frozen=True, slots=True)
class TcpPorts(Looks):
    """Who listens on the host, and how many came; the answer is {"listeners": [str], "connections": {port: int}}.

    A listener is `address:port`, with `*` for every address of both families.
    """

    answers: ClassVar[type] = shapes.PortsAnswer
    name: str
    ports: tuple[int, ...]

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "tcp-ports", "name": self.name, "ports": list(self.ports)}


Reading = Asked
"""Any reading: those here, and those of single services."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered to one reading: a value, or why there is none."""

    name: str
    value: Any = None
    problem: str = ""
    between: tuple[float, float] | None = None
    """When the host was asked and had answered, by the controller's clock."""

    @property
    def known(self) -> bool:
        """True when the host could read it."""
        return not self.problem

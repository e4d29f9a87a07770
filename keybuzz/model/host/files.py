"""Resources of a host's file system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey


@dataclass(frozen=True, slots=True)
class Directory(Resource):
    """A directory; owner and group are numbers, because hosts do not know the images' users."""

    kind: ClassVar[str] = "directory"
    path: str
    owner: int = 0
    group: int = 0
    mode: int = 0o755

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"owner": self.owner, "group": self.group, "mode": f"{self.mode:04o}"}

    def order(self) -> Json:
        return {**self.query(), "owner": self.owner, "group": self.group, "mode": self.mode}


@dataclass(frozen=True, slots=True)
class Symlink(Resource):
    """A symbolic link, such as /etc/localtime."""

    kind: ClassVar[str] = "symlink"
    path: str
    target: str

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"target": self.target}

    def order(self) -> Json:
        return {**self.query(), "target": self.target}


@dataclass(frozen=True, slots=True)
class Absent(Resource):
    """A file that must not be there. The agent removes files and links, never a directory."""

    kind: ClassVar[str] = "absent"
    path: str

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class Artefact(Resource):
    """A program that the controller streams to the host; nothing is sent where the digest is right."""

    kind: ClassVar[str] = "artefact"
    path: str
    digest: str
    """`sha256:…` of versions.yaml."""
    source: Path
    """The file on the controller."""
    mode: int = 0o755

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"digest": self.digest, "owner": 0, "group": 0, "mode": f"{self.mode:04o}"}

    def order(self) -> Json:
        return {**self.query(), "digest": self.digest, "mode": self.mode}


@dataclass(frozen=True, slots=True)
class ImageValidator:
    """The program that will read a file, run in the image that will run it, before the file is in place."""

    image: str
    command: tuple[str, ...]
    mount_at: str
    tolerated: tuple[str, ...] = ()
    """Texts of complaints that do not count, because they are about the network and not about the file."""


@dataclass(frozen=True, slots=True)
class HostValidator:
    """The same with a program of the host; `{}` in the command stands for the new file."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContainerSignal:
    """After a change: tell a running container, so that it reads the file again."""

    container: str
    signal: str = "HUP"


@dataclass(frozen=True, slots=True)
class UnitReload:
    """After a change: `systemctl <verb> <unit>`; with `reload` only where the unit runs and has a way to reload."""

    unit: str
    verb: str = "reload-or-restart"


Validator = ImageValidator | HostValidator
Reload = ContainerSignal | UnitReload


@dataclass(frozen=True, slots=True)
class File(Resource):
    """A whole file: written atomically, validated before, its reader told after."""

    kind: ClassVar[str] = "file"
    path: str
    content: Content | Template
    owner: int = 0
    group: int = 0
    mode: int = 0o644
    validator: Validator | None = None
    reload: Reload | None = None

    @property
    def name(self) -> str:
        return self.path

    @property
    def text(self) -> Content:
        """The rendered content. A template here means that rendering was forgotten."""
        if isinstance(self.content, Template):
            raise TypeError(f"{self.identity} has not been rendered")
        return self.content

    def wanted(self, key: DigestKey) -> Attributes:
        return {
            "digest": self.text.digest(key),
            "owner": self.owner,
            "group": self.group,
            "mode": f"{self.mode:04o}",
            "loaded": True,
        }

    def query(self) -> Json:
        return {
            "kind": self.kind,
            "name": self.path,
            "secret": self.text.secret,
            "secret_lines": [list(pieces) for pieces in self.text.secret_lines()],
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "text": self.text.reveal(),
            "owner": self.owner,
            "group": self.group,
            "mode": self.mode,
            "validator": _validator_order(self.validator),
            "reload": _reload_order(self.reload),
        }


def _validator_order(validator: Validator | None) -> Json | None:
    match validator:
        case None:
            return None
        case HostValidator(command):
            return {"command": list(command)}
        case ImageValidator(image, command, mount_at, tolerated):
            return {
                "image": image,
                "command": list(command),
                "mount_at": mount_at,
                "tolerated": list(tolerated),
            }


def _reload_order(reload: Reload | None) -> Json | None:
    match reload:
        case None:
            return None
        case ContainerSignal(container, signal):
            return {"container": container, "signal": signal}
        case UnitReload(unit, verb):
            return {"unit": unit, "verb": verb}

"""Resources of a host's Docker Engine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret


@dataclass(frozen=True, slots=True)
class Image(Resource):
    """An image that must be on the host, by a reference whose tag is frozen or content-addressed (VER-1)."""

    kind: ClassVar[str] = "image"
    reference: str
    built: bool = False
    """True when kbz streams it to the host; false when the host pulls it."""
    expected: str = ""
    """Docker's id of what is streamed, where another host holds it; empty when kbz built it."""

    @property
    def name(self) -> str:
        return self.reference

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"reference": self.reference}

    def order(self) -> Json:
        return {**self.query(), "built": self.built, "expected": self.expected}


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory or file of the host inside a container."""

    source: str
    target: str
    read_only: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.target}:{'ro' if self.read_only else 'rw'}"


@dataclass(frozen=True, slots=True)
class Container(Resource):
    """A container on the host's network that Docker itself restarts; no systemd unit (contradiction 16)."""

    kind: ClassVar[str] = "container"
    container: str
    image: str
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    environment: tuple[tuple[str, str | Secret], ...] = ()
    binds: tuple[Bind, ...] = ()
    hostname: str = ""
    user: str = ""
    restart: str = "unless-stopped"
    stop_timeout: int = 60
    """Seconds between TERM and KILL: ten are too few for a database."""
    stop_signal: str = ""
    """In the place of the image's own, where that one would wait for clients."""
    shared_memory: int = 64 * 1024 * 1024
    """Bytes of /dev/shm."""
    open_files: int = 0
    """Files that a process of it may have open; 0: as the engine gives."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """Name and address: what the container's own /etc/hosts has, whatever becomes of the host's."""

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        return {
            "image": self.image,
            "running": True,
            "command": self.command,
            "environment": tuple(_environment_digest(item, key) for item in self.environment),
            "binds": tuple(sorted(str(bind) for bind in self.binds)),
            "hostname": self.hostname,
            "user": self.user,
            "restart": self.restart,
            "network": "host",
            "shared_memory": self.shared_memory,
            "extra_hosts": self._extra_hosts,
            **({"stop_signal": self.stop_signal} if self.stop_signal else {}),
            **({"open_files": self.open_files} if self.open_files else {}),
        }

    def query(self) -> Json:
        return {
            "kind": self.kind,
            "name": self.container,
            "image": self.image,
            "command": list(self.command),
            "environment": [name for name, _ in self.environment],
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "variables": [
                f"{name}={value.reveal() if isinstance(value, Secret) else value}"
                for name, value in self.environment
            ],
            "binds": [str(bind) for bind in self.binds],
            "hostname": self.hostname,
            "user": self.user,
            "restart": self.restart,
            "stop_timeout": self.stop_timeout,
            "stop_signal": self.stop_signal,
            "shared_memory": self.shared_memory,
            "open_files": self.open_files,
            "extra_hosts": list(self._extra_hosts),
        }

    @property
    def _extra_hosts(self) -> tuple[str, ...]:
        return tuple(sorted(f"{name}:{address}" for name, address in self.extra_hosts))

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("running") is True


@dataclass(frozen=True, slots=True)
class StoppedContainer(Resource):
    """The wish that a container does not run now, such as before its data is looked at. No description holds it."""

    kind: ClassVar[str] = "container-stopped"
    container: str
    stop_timeout: int = 60
    """Seconds between TERM and KILL."""

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"running": False}

    def order(self) -> Json:
        return {**self.query(), "stop_timeout": self.stop_timeout}

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("running") is True


def _environment_digest(item: tuple[str, str | Secret], key: DigestKey) -> str:
    """Return NAME=digest: the agent answers the same, so that no value is ever compared in clear."""
    name, value = item
    clear = value.reveal() if isinstance(value, Secret) else value
    return f"{name}={key.digest(clear.encode())[:28]}"


@dataclass(frozen=True, slots=True)
class DockerDaemon(Resource):
    """The running engine as `docker info` tells it, and whether it has read its daemon.json."""

    kind: ClassVar[str] = "docker-daemon"
    log_driver: str
    storage_driver: str
    cgroup_driver: str
    configuration: str = ""
    """Digest of the daemon.json that it must have read; empty: whichever lies there. So a new one is foretold."""

    @property
    def name(self) -> str:
        return "docker"

    def query(self) -> Json:
        return {**Resource.query(self), "configuration": self.configuration}

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "running": True,
            "log_driver": self.log_driver,
            "storage_driver": self.storage_driver,
            "cgroup_driver": self.cgroup_driver,
            "configuration_loaded": True,
        }

    def order(self) -> Json:
        return self.query()

    def disrupts(self, observed: Attributes) -> bool:
        return observed.get("containers_running", 0) != 0


def content_tag(inputs: dict[str, bytes], arguments: dict[str, str]) -> str:
    """Return 12 hex digits that change with any input of an image build: the same inputs, the same tag."""
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode())
    for path in sorted(inputs):
        digest.update(path.encode() + b"\0" + hashlib.sha256(inputs[path]).digest())
    return digest.hexdigest()[:12]

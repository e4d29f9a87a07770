"""Where everything of one lab host lies: names and paths from the settings, nothing is touched."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from keybuzz.model.core.errors import UsageError
from keybuzz.model.inventory.lab import LabSettings

NAMESPACES = Path("/run/netns")
NETWORK = IPv4Network("10.0.0.0/16")
CONTROLLER = IPv4Address("10.0.0.1")
NAME_SERVERS = (IPv4Address("1.1.1.1"), IPv4Address("8.8.8.8"))
"""Those that hosts of the fleet ask; inside the lab they are its own."""
_INTERFACE_NAME_LIMIT = 15
_LAB_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def check_name(settings: LabSettings) -> None:
    """Raise UsageError when the lab's name cannot become a name of namespaces and folders."""
    if not _LAB_NAME.fullmatch(settings.name):
        raise UsageError(
            f"{settings.name!r} is no name for a lab",
            hint="use up to 32 of a-z, 0-9 and '-', a letter first",
        )


def interface_name(host: str) -> str:
    """Return the name of the host's port on the lab's bridge: the host's name when it fits in 15.

    Longer names are cut and carry a digest, so that two hosts never share a port.
    """
    if len(host) <= _INTERFACE_NAME_LIMIT:
        return host
    digest = hashlib.sha256(host.encode()).hexdigest()[:5]
    return f"{host[: _INTERFACE_NAME_LIMIT - 6]}-{digest}"


def hardware_address(address: IPv4Address) -> str:
    """Return the MAC of a lab address: always the same, so that no ARP entry gets stale."""
    return "02:00:" + ":".join(f"{octet:02x}" for octet in address.packed)


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """Names and folders of one lab host."""

    settings: LabSettings
    name: str

    @property
    def folder(self) -> Path:
        """Everything of this host."""
        return self.settings.root / "hosts" / self.name

    @property
    def image(self) -> Path:
        """The host's disk: a file system in a file that takes as much room as was ever written to it."""
        return self.folder / "disk.ext4"

    @property
    def volume(self) -> Path:
        """Where the disk is mounted, only inside the host's own mount namespace."""
        return self.folder / "volume"

    @property
    def upper(self) -> Path:
        """On the disk: what the host has that its base has not."""
        return self.volume / "upper"

    @property
    def work(self) -> Path:
        """On the disk: scratch folder that overlayfs wants beside `upper`."""
        return self.volume / "work"

    @property
    def docker(self) -> Path:
        """On the disk: the host's /var/lib/docker, as Docker's overlay2 does not work on an overlay."""
        return self.volume / "docker"

    @property
    def mountpoint(self) -> Path:
        """The root file system, mounted only inside the host's own mount namespace."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """What the host printed on its console since its last start."""
        return self.folder / "console.log"

    @property
    def disk(self) -> Path:
        """The disk's birth certificate, written last: a disk without it was never finished."""
        return self.folder / "disk.json"

    @property
    def machine(self) -> str:
        """Name of the host's network namespace, and of its container: unique on this machine."""
        return f"{self.settings.name}-{self.name}"

    @property
    def namespace(self) -> Path:
        """The host's network namespace."""
        return NAMESPACES / self.machine

    @property
    def port(self) -> str:
        """Its interface on the bridge, in the controller's namespace."""
        return interface_name(self.name)


@dataclass(frozen=True, slots=True)
class ServicePlaces:
    """Files of a service that the lab runs beside its hosts: the registry, a load balancer."""

    settings: LabSettings
    name: str

    @property
    def folder(self) -> Path:
        """Everything of this service; nothing in it outlives `down`."""
        return self.settings.root / "services" / self.name

    @property
    def config(self) -> Path:
        """What the running process was told."""
        return self.folder / "config"

    @property
    def log(self) -> Path:
        """What it printed since its last start."""
        return self.folder / "log"

    @property
    def socket(self) -> Path:
        """Where it answers questions about itself, if it does."""
        return self.folder / "socket"


def lock_file(settings: LabSettings) -> Path:
    """Return the file that whoever changes the lab holds locked; it outlives the lab's root."""
    return settings.root.with_name(f"{settings.root.name}.lock")


def host_names(settings: LabSettings) -> tuple[str, ...]:
    """Return the names of the hosts that have a folder in this lab, sorted."""
    folder = settings.root / "hosts"
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))

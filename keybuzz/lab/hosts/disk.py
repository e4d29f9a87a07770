"""The disk of a lab host: what it has beyond its base. Like a server's disk it survives `down`.

It is a file system of its own in one file. To delete it is to delete that file: hosts that come and go leave no
thousands of deleted inodes behind, which ext4 without a journal would step over, one by one, for each file that is made
within the next minutes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from keybuzz.lab.hosts import base, keys, traits
from keybuzz.lab.hosts.process import run
from keybuzz.lab.layout import HostPlaces, host_names
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server
from keybuzz.transport.machine_pins import forget_machine, pins_file

SIZE = "16G"
"""What a host sees; the file is sparse."""
_MAKE = ("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard")


@dataclass(frozen=True, slots=True)
class Disk:
    """The birth certificate of a disk."""

    address: IPv4Address
    base: str
    """Digest of the base below it. A disk keeps its base until the host is reset."""
    host_key: str
    """Public SSH host key that it was born with."""


def read(settings: LabSettings, host: str) -> Disk | None:
    """Return the certificate of a host's disk; None when there is none or it was never finished."""
    file = HostPlaces(settings, host).disk
    try:
        fields = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return Disk(IPv4Address(fields["address"]), fields["base"], fields["host_key"])


def never_made(settings: LabSettings, servers: Sequence[Server]) -> frozenset[str]:
    """Return the servers that have no disk: they were never started in this lab."""
    return frozenset(s.name for s in servers if not HostPlaces(settings, s.name).disk.exists())


def ensure(settings: LabSettings, server: Server, base_digest: str) -> Disk:
    """Make sure that the host has a disk; a disk whose base or address is gone is refused."""
    disk = read(settings, server.name)
    if disk is None:
        return _create(settings, server, base_digest)
    if disk.address != server.address:
        raise KbzError(
            f"its disk was made for {disk.address}, servers.tsv says {server.address}",
            where=server.name,
            hint=proposed("kbz", "lab", "reset", server.name),
        )
    if not HostPlaces(settings, server.name).image.exists():
        raise KbzError(
            "its disk was made by an older kbz",
            where=server.name,
            hint=proposed("kbz", "lab", "reset", server.name),
        )
    if not base.folder(settings.cache, disk.base).is_dir():
        raise KbzError(
            f"the base {disk.base} of its disk is no longer in {settings.cache}",
            where=server.name,
            hint=proposed("kbz", "lab", "reset", server.name),
        )
    return disk


def erase(settings: LabSettings, host: str) -> None:
    """Delete the disk of a host that does not run: the system and Docker's data."""
    places = HostPlaces(settings, host)
    places.disk.unlink(missing_ok=True)
    # Mounts of a host live in its own mount namespace and end with it; --one-file-system is the
    # belt to those braces.
    run(["rm", "-rf", "--one-file-system", places.folder], seconds=600)


def public_keys(settings: LabSettings) -> dict[IPv4Address, str]:
    """Return the public host key of each disk of this lab, by address."""
    disks = (read(settings, host) for host in host_names(settings))
    return {disk.address: disk.host_key for disk in disks if disk is not None}


_NAME_SERVICES = "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n"
"""No name server can be reached here. Docker asks for a name before each pull, from a mirror too, and
would wait 20 s for the answer that does not come."""


def hosts_text(server: Server) -> str:
    """Return /etc/hosts of a bare server."""
    return (
        f"127.0.0.1\tlocalhost\n127.0.1.1\t{server.fqdn} {server.name}\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
    )


def _create(settings: LabSettings, server: Server, base_digest: str) -> Disk:
    erase(settings, server.name)
    # A new disk is a new machine.
    forget_machine(pins_file(settings.known_hosts), str(server.address))
    places = HostPlaces(settings, server.name)
    for folder in (places.volume, places.mountpoint):
        folder.mkdir(parents=True)
    # Laid out where the disk will be mounted, and moved onto it.
    host_key = _lay_out(settings, server, places)
    run([*_MAKE, "-d", places.volume, places.image, SIZE])
    run(["rm", "-rf", "--one-file-system", places.upper, places.work, places.docker])
    certificate = {"address": str(server.address), "base": base_digest, "host_key": host_key}
    unfinished = places.disk.with_suffix(".new")
    unfinished.write_text(json.dumps(certificate))
    unfinished.replace(places.disk)
    return Disk(server.address, base_digest, host_key)


def _lay_out(settings: LabSettings, server: Server, places: HostPlaces) -> str:
    """Write what a bare host has of its own; return its public host key."""
    for folder in (places.upper, places.work, places.docker):
        folder.mkdir()
    places.docker.chmod(0o710)
    etc, home = places.upper / "etc", places.upper / "root"
    (etc / "ssh").mkdir(parents=True)
    (home / ".ssh").mkdir(parents=True)
    (etc / "hostname").write_text(f"{server.name}\n")
    (etc / "hosts").write_text(hosts_text(server))
    (etc / "nsswitch.conf").write_text(_NAME_SERVICES)
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    host_key = keys.generate(etc / "ssh" / "ssh_host_ed25519_key", f"root@{server.name}")
    authorized = home / ".ssh" / "authorized_keys"
    authorized.write_text(f"{keys.controller_key(settings)}\n")
    for private in (home, home / ".ssh"):
        private.chmod(0o700)
    authorized.chmod(0o600)
    traits.lay_out(traits.traits(settings.traits(server.name)), places.upper)
    return host_key

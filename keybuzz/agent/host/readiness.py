"""What a first run needs of a host and cannot make: package sources, volumes, load balancers, a machine of its own."""

from __future__ import annotations

import os
import socket

from keybuzz.agent.guard import mounts, opener
from keybuzz.agent.host.machine import machine_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_APT = "/etc/apt"
_UNITS = "/etc/systemd/system"
_SECONDS = 3.0
_MOST = 8
"""Sources that are tried: more than Debian's and Docker's together are."""
_PORTS = {"http": 80, "https": 443}
_FIREWALLS = frozenset(
    f"{name}.service"
    for name in (
        "firewalld",
        "nftables",
        "netfilter-persistent",
        "iptables-persistent",
        "shorewall",
    )
)
_ALIVE = (111, 104)
"""ECONNREFUSED and ECONNRESET: a host is there."""


def look(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return each package source and load balancer with why it is not reached, the mounts, and what a start mounts."""
    return {
        "sources": [] if has_proxy() else [[name, _reach(name)] for name in sources()[:_MOST]],
        "balancers": [[place, _answers(place, ports)] for place, ports in query["balancers"]],
        "mounts": [[point, kind] for point, kind, _ in mounts.entries(mounts.mountinfo())],
        "fstab": [list(found) for found in fstab(_text("/etc/fstab"))],
        "units": [list(found) for found in mount_units()],
        "architecture": os.uname().machine,
        "kernel": os.uname().release,
        "machine": machine_id(),
        "firewalls": firewalls(),
    }


def firewalls(folder: str = _UNITS) -> list[str]:
    """Return the other firewalls that start with the system: each would load its own rules over those of ufw."""
    enabled = {
        os.path.basename(path)
        for wanting in _files(folder, ".wants")
        for path in _files(wanting, ".service")
    }
    return sorted(enabled & _FIREWALLS)


def sources(folder: str = _APT) -> list[str]:
    """Return `scheme://host` of each source of packages, once each, in the order of the files."""
    found: dict[str, None] = {}
    for path in (
        f"{folder}/sources.list",
        *_files(f"{folder}/sources.list.d", ".list", ".sources"),
    ):
        for word in _words(_text(path)):
            scheme, _, rest = word.partition("://")
            # A login may stand before the host's name: it is a secret, and no connection uses it.
            host = rest.partition("/")[0].rpartition("@")[2]
            if scheme in _PORTS and host:
                found[f"{scheme}://{host}"] = None
    return list(found)


def _words(text: str) -> Iterator[str]:
    """Yield the words of the lines that name a source of binary packages and are in use."""
    for stanza in text.split("\n\n"):
        lines = [line.split() for line in stanza.splitlines()]
        fields = {line[0].lower(): line[1:] for line in lines if line and line[0].endswith(":")}
        if fields.get("enabled:") == ["no"] or "deb" not in fields.get("types:", ["deb"]):
            continue
        yield from fields.get("uris:", ())
        for line in lines:
            if line[:1] == ["deb"]:
                yield from line[1:]


def has_proxy(folder: str = _APT) -> bool:
    """Return whether apt goes through a proxy: then what this host reaches by itself says nothing."""
    paths = (f"{folder}/apt.conf", *_files(f"{folder}/apt.conf.d"))
    lines = (line.strip() for path in paths for line in _text(path).splitlines())
    return any("Proxy" in line and not line.startswith(("//", "#")) for line in lines)


def fstab(text: str) -> Iterator[tuple[str, str]]:
    """Yield source and mount point of every line that mounts something."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith("#") and words[1].startswith("/"):
            yield mounts.plain(words[0]), mounts.plain(words[1]).rstrip("/") or "/"


def mount_units(folder: str = _UNITS) -> Iterator[tuple[str, str]]:
    """Yield source and mount point of every .mount unit of this host that a start of it, or an .automount, pulls in."""
    enabled = {
        os.path.basename(path)
        for wanting in _files(folder, ".wants", ".requires")
        for path in _files(wanting, ".mount", ".automount")
    }
    for path in _files(folder, ".mount"):
        name = os.path.basename(path)
        if name in enabled or name.replace(".mount", ".automount") in enabled:
            lines = (line.partition("=") for line in _text(path).splitlines())
            options = {name.strip(): value.strip() for name, _, value in lines}
            if options.get("Where", "").startswith("/"):
                yield options.get("What", ""), options["Where"].rstrip("/") or "/"


def _reach(source: str) -> str:
    scheme, _, name = source.partition("://")
    host, _, port = name.partition(":")
    return _why_not(host, int(port) if port.isdecimal() else _PORTS[scheme])


def _answers(address: str, ports: list[int]) -> str:
    """Return why a load balancer does not answer on any port; one that refuses is there."""
    why = ""
    for port in ports[:2]:
        why = _why_not(address, port, alive=_ALIVE)
        if not why:
            return ""
    return why


def _why_not(host: str, port: int, alive: tuple[int, ...] = ()) -> str:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        if error.errno in alive:
            return ""
        return f"{host}:{port}: {error.strerror or error}"
    return ""


def _files(folder: str, *endings: str) -> list[str]:
    try:
        names = sorted(opener.names(folder))
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if not endings or name.endswith(endings)]


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.SMALL, final=True)
    except OSError:
        return ""

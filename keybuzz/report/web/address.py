"""Where `kbz serve` may listen. Pure: nothing is looked up, so an address is what it looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from keybuzz.model.core.errors import RefusedError, UsageError

DEFAULT = "127.0.0.1:9048"
_PLACE = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})", re.ASCII
)
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::\d{0,5})?", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """An address of this machine, and a port of TCP."""

    ip: IPv4Address | IPv6Address
    port: int
    """0: any that is free."""

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"

    @property
    def local(self) -> bool:
        """True when only this machine reaches it."""
        return self.ip.is_loopback

    @property
    def names(self) -> frozenset[str]:
        """What a client may call this server in its header Host: as `host_name` writes it."""
        return _LOOPBACK | {str(self.ip)}


def parse_address(text: str) -> Address:
    """Return the address of `--listen`.

    UsageError for what is none. RefusedError for one that strangers may reach: what is served has no password.
    """
    found = _PLACE.fullmatch(text)
    name = "" if found is None else found["six"] or found["host"]
    try:
        ip = ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError as error:
        raise _no_address(text) from error
    port = int(found["port"]) if found else 0
    if port > 65535:
        raise _no_address(text)
    real = getattr(ip, "ipv4_mapped", None) or ip
    if real.is_unspecified or real.is_multicast or real.is_global:
        raise RefusedError(
            f"{text} can be reached from anywhere, and the page has no password and no encryption",
            where="--listen",
            hint=f"name one private address of this machine, or {DEFAULT} behind a web server that has both",
        )
    return Address(real, port)


def host_name(header: str) -> str:
    """Return whom a header Host means, without its port; empty for what is no host."""
    found = _HOST.fullmatch(header.strip())
    if found is None:
        return ""
    if found["six"] is None:
        return str(found["host"]).lower()
    try:
        return str(ip_address(found["six"]))
    except ValueError:
        return ""


def _no_address(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no address to listen at",
        where="--listen",
        hint=f"an IP address and a port, such as {DEFAULT} or [::1]:9048",
    )

"""Whether the machine that answers is the one that was meant: its address, its name and its machine id."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.proposed import proposed
from keybuzz.transport.machine_pins import Pin

_ID = re.compile(r"([0-9a-f]{32})?")
_LONGEST_NAME = 64
_MOST_ADDRESSES = 4096
_SHOWN_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine says of itself in the agent's greeting."""

    name: str = ""
    addresses: frozenset[str] = frozenset()
    id: str = ""
    """Digest of its machine id; empty when it has none."""

    @classmethod
    def parse(cls, told: object) -> Machine:
        """Return what was told; ValueError when it is not of that form."""
        if not isinstance(told, Mapping):
            raise ValueError("that is no object")  # noqa: TRY004  # the caller judges forms, not types
        name, addresses = told.get("name", ""), told.get("addresses", [])
        found = told.get("id", "")
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            raise ValueError("the machine's name is no host name")
        if not isinstance(addresses, list) or len(addresses) > _MOST_ADDRESSES:
            raise ValueError("the machine's addresses are no list of addresses")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise ValueError("the machine's id is no digest")
        return cls(name, frozenset(str(IPv4Address(address)) for address in addresses), found)

    @property
    def shown(self) -> str:
        """Its name, for messages: it comes from the host."""
        return visible(self.name) or "nothing"

    @property
    def names(self) -> frozenset[str]:
        """Its name as the inventory may write it: with and without its domain."""
        return frozenset({self.name.lower(), self.name.lower().partition(".")[0]} - {""})


@dataclass(frozen=True, slots=True)
class Known:
    """What one server of the inventory is known by."""

    server: str
    address: str
    names: frozenset[str]
    """What it may call itself, in lower case."""
    pin: Pin | None = None


@dataclass(frozen=True, slots=True)
class Identities:
    """What all servers are known by."""

    known: Mapping[str, Known]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Servers that must not be connected to at all, and why: what to do stands behind an arrow."""

    def admit(self, server: str) -> None:
        """Raise ContactError, before anything is dialed, for a server that is refused."""
        if server in self.refused:
            what, _, hint = self.refused[server].partition(" → ")
            raise ContactError(what, where=server, hint=hint)

    def require(self, server: str, machine: Machine) -> None:
        """Raise ContactError unless this machine may be the server: for every connection."""
        if server not in self.known:
            return
        known = self.known[server]
        if known.address not in machine.addresses:
            raise other_address(known, machine)
        if known.pin is not None and known.pin.id and machine.id != known.pin.id:
            raise other_id(known, machine.id)
        if not known.names & machine.names and (other := self._named(machine, server)):
            raise another_server(known, other)

    def require_for_change(self, server: str, machine: Machine) -> None:
        """Raise ContactError unless this machine is the server: before it is changed."""
        self.require(server, machine)
        if server in self.known and not self.known[server].names & machine.names:
            raise other_name(self.known[server], machine.name)

    def unpinned(self, server: str) -> bool:
        """True for a server whose machine has not been seen yet by a command that changes it."""
        return server in self.known and self.known[server].pin is None

    def _named(self, machine: Machine, server: str) -> str:
        found = (
            name
            for name, known in self.known.items()
            if name != server and known.names & machine.names
        )
        return next(found, "")


def identities(
    servers: Iterable[tuple[str, str, Collection[str]]],
    pins: Mapping[str, Pin],
    refused: Mapping[str, str],
) -> Identities:
    """Return what servers (name, address, further names) are known by, with what is pinned by address."""
    known: dict[str, Known] = {}
    for server, address, names in servers:
        pin = pins.get(address)
        called = {pin.called} if pin is not None else set()
        every = {name.lower() for name in (server, *names, *called) if name}
        known[server] = Known(server, address, frozenset(every), pin)
    return Identities(known, refused)


def other_address(known: Known, machine: Machine) -> ContactError:
    """Return the refusal of a machine that does not have the server's address."""
    has = sorted(machine.addresses)
    more = ", …" if len(has) > _SHOWN_ADDRESSES else ""
    others = f" (they have {', '.join(has[:_SHOWN_ADDRESSES])}{more})" if has else ""
    return ContactError(
        f"another machine answers: it calls itself {machine.shown}, and {known.address} is on none"
        f" of its interfaces{others}; nothing was asked of it",
        where=known.server,
        hint=f"compare IP_PRIVEE of {known.server} in servers.tsv with `ip addr` on its console",
    )


def other_id(known: Known, found: str) -> ContactError:
    """Return the refusal of a machine whose machine id is not the pinned one."""
    pinned = known.pin.id if known.pin is not None else ""
    return ContactError(
        f"THE MACHINE HAS CHANGED: {known.address} has machine id {found or '(none)'}, and {pinned} is"
        " pinned. Another machine may be answering; nothing was asked of it",
        where=known.server,
        hint=f"if the server was rebuilt: {proposed('kbz', 'hosts', 'forget', known.server)} && "
        f"{proposed('kbz', 'hosts', 'trust', known.server)}",
    )


def another_server(known: Known, other: str) -> ContactError:
    """Return the refusal of a machine that calls itself as another server is called."""
    return ContactError(
        f"another machine answers: it calls itself {other}, which is another server of the"
        " inventory; nothing was asked of it",
        where=known.server,
        hint=f"if it is {known.server}: {proposed('hostnamectl', 'set-hostname', known.server)} on its console",
    )


def other_name(known: Known, name: str) -> ContactError:
    """Return the refusal to change a machine that calls itself by an unknown name."""
    return ContactError(
        f"it calls itself {visible(name) or 'nothing'}, and a machine of another name is not changed",
        where=known.server,
        hint=f"{proposed('hostnamectl', 'set-hostname', known.server)} there; or, if that is its name: "
        f"{proposed('kbz', 'hosts', 'trust', known.server)}",
    )


def visible(text: str) -> str:
    """Return a short text of a host without anything that a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_LONGEST_NAME]

"""What each cell of servers.tsv may hold. A check returns None, or the fault and its remedy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import NamedTuple

from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.groups import FLEET_NETWORK, GroupCatalogue

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_ROOT = "root"
"""Who kbz logs in as. It does not use sudo: half a host that it may read would be judged as the whole of it."""
_GATEWAY = FLEET_NETWORK[1]
_LABEL_HINT = "use 1 to 63 lower-case letters, digits and inner hyphens (RFC 1123)"


class Fault(NamedTuple):
    """What is wrong with a cell, without its place, and what to do."""

    what: str
    hint: str


Check = Callable[[str, GroupCatalogue], Fault | None]


def form_fault(column: str, text: str) -> Fault | None:
    """Check what holds for all columns: not empty, no outer spaces, printable, ASCII.

    NOTES may be empty and hold any printable Unicode; an optional column may be empty.
    """
    free = column == "NOTES"
    if not text:
        if free or column in OPTIONAL:
            return None
        return Fault("is missing", "write the value; only NOTES and REGION may be empty")
    if text != text.strip():
        return Fault(f"has a space at its edge: {shown(text)}", "remove the space")
    for character in text:
        if not (_printable(character) if free else " " <= character <= "~"):
            name = f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
            allowed = "printable text" if free else "printable ASCII"
            return Fault(f"holds {name} in {shown(text)}", f"use {allowed} only")
    return None


def _printable(character: str) -> bool:
    """Letters, marks and typographic spaces; no control or direction characters."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _environment(text: str, catalogue: GroupCatalogue) -> Fault | None:
    return _closed(text, catalogue.vocabulary.environments)


def _role(text: str, catalogue: GroupCatalogue) -> Fault | None:
    return _closed(text, tuple(catalogue.vocabulary.roles))


def _subrole(text: str, catalogue: GroupCatalogue) -> Fault | None:
    return _closed(
        text, tuple({word for row in catalogue.vocabulary.roles.values() for word in row})
    )


def _core(text: str, catalogue: GroupCatalogue) -> Fault | None:
    return _closed(text, ("yes", "no"))


def _closed(text: str, words: tuple[str, ...]) -> Fault | None:
    return None if text in words else Fault(f"{shown(text)} is unknown", nearest(text, words))


def pair_fault(role: str, subrole: str, catalogue: GroupCatalogue) -> Fault | None:
    """Check that a known SUBROLE goes with the row's known ROLE."""
    words = catalogue.vocabulary.roles.get(role, (subrole,))
    if subrole in words:
        return None
    return Fault(f"{shown(subrole)} does not go with ROLE {shown(role)}", nearest(subrole, words))


def _label(text: str, catalogue: GroupCatalogue) -> Fault | None:
    return None if _LABEL.fullmatch(text) else Fault(f"{shown(text)} is not a name", _LABEL_HINT)


def _host_name(text: str, catalogue: GroupCatalogue) -> Fault | None:
    if not _LABEL.fullmatch(text) or text.isdigit() or text == "localhost":
        return Fault(f"{shown(text)} is not a host name", _LABEL_HINT + ", one letter at least")
    excluded = catalogue.exclusion(text)
    if excluded is not None:
        return Fault(f"{text} is excluded by design: {excluded.reason}", "remove the row")
    host = catalogue.host_of(text)
    if host is not None:
        return Fault(f"{text} is an alias of {host} in {catalogue.source}", f"write {host}")
    if catalogue.find(text) or any(text == lb.name for lb in catalogue.virtual_addresses):
        what = f"{text} is the name of a group or a load balancer in {catalogue.source}"
        return Fault(what, "give the server another name, so that --limit stays clear")
    return None


def _domain_name(text: str, catalogue: GroupCatalogue) -> Fault | None:
    labels = text.split(".")
    if len(labels) > 1 and len(text) <= 253 and all(map(_LABEL.fullmatch, labels)):
        return None
    return Fault(f"{shown(text)} is not a full domain name", "write it as host.keybuzz.io")


def _user(text: str, catalogue: GroupCatalogue) -> Fault | None:
    if text == _ROOT:
        return None
    if _USER.fullmatch(text):
        what = f"{shown(text)} has not the rights that kbz needs: it becomes no other user"
        return Fault(what, f"write {_ROOT}, and pin its key on the server")
    hint = "use a Unix login: a lower-case letter or _, then letters, digits, _ or -"
    return Fault(f"{shown(text)} is not a user name", hint)


def _private_address(text: str, catalogue: GroupCatalogue) -> Fault | None:
    address = _address(text)
    if address is None:
        return Fault(f"{shown(text)} is not an IPv4 address", "write four numbers, 10.0.x.x")
    if address not in FLEET_NETWORK:
        hint = "write the server's address on the private network"
        return Fault(f"{text} is outside {FLEET_NETWORK}", hint)
    if address in (FLEET_NETWORK.network_address, FLEET_NETWORK.broadcast_address, _GATEWAY):
        what = f"{text} is the network's own address (network, gateway or broadcast)"
        return Fault(what, "write the server's address")
    virtual = catalogue.virtual(address)
    if virtual is not None:
        what = f"{text} is the load balancer {virtual.name}, not a server (LB-1)"
        return Fault(what, "write the server's own address")
    return None


def _public_address(text: str, catalogue: GroupCatalogue) -> Fault | None:
    address = _address(text)
    if address is None:
        return Fault(f"{shown(text)} is not an IPv4 address", "write four numbers from 0 to 255")
    unroutable = address.is_loopback or address.is_multicast or address.is_link_local
    if unroutable or address.is_unspecified or address.is_reserved or address in FLEET_NETWORK:
        return Fault(f"{text} cannot be a public address", "write the provider's public address")
    return None


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


CHECKS: dict[str, Check] = {
    "ENV": _environment,
    "IP_PUBLIQUE": _public_address,
    "HOSTNAME": _host_name,
    "IP_PRIVEE": _private_address,
    "FQDN": _domain_name,
    "USER_SSH": _user,
    "POOL": _label,
    "ROLE": _role,
    "SUBROLE": _subrole,
    "DOCKER_STACK": _label,
    "CORE": _core,
    "NOTES": lambda text, catalogue: None,
    "REGION": _label,
}
"""The columns of servers.tsv, in the order of the file, each with the check of its cells."""
OPTIONAL = ("REGION",)
"""Columns that a file need not have, and whose cells may be empty."""
UNIQUE = ("HOSTNAME", "IP_PRIVEE", "IP_PUBLIQUE", "FQDN")
"""Columns whose values belong to one server."""

"""The machine behind a trusted host key: asked once, pinned next to the key, and shown by `kbz hosts`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import click

from keybuzz.model.core.errors import ContactError, RefusedError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.files.problems import nearest

if TYPE_CHECKING:
    from keybuzz.model.inventory.server import Server
    from keybuzz.site.site import Site
    from keybuzz.transport.identity import Machine
    from keybuzz.transport.machine_pins import Pin

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def pin_machine(site: Site, server: Server, confirm: Callable[[], None]) -> None:
    """Pin the machine of a server whose key is pinned; `confirm` raises unless the operator knows its name.

    ContactError when it is another server, RefusedError when another machine is pinned.
    """
    from keybuzz.engine.nornir import identities_of
    from keybuzz.engine.this_machine import Here
    from keybuzz.transport.machine_pins import Pin, pins_file, read_pins, write_pins

    machine = _ask(site, server)
    if machine is None:
        return
    path = pins_file(site.settings.known_hosts)
    pinned = read_pins(path).get(str(server.address))
    if pinned is not None and pinned.id != machine.id:
        raise RefusedError(
            f"machine {pinned.id} is pinned, and machine {machine.id or 'without an id'} answers",
            where=server.name,
            hint=f"if the host was rebuilt: {proposed('kbz', 'hosts', 'forget', server.name)}, then trust it again",
        )
    identities = identities_of(site, Here())
    identities.require(server.name, machine)
    if not machine.id or not _NAME.fullmatch(machine.name):
        click.echo(f"{server.name}: it has no machine id or no name; no machine is pinned")
        return
    if not identities.known[server.name].names & machine.names:
        click.echo(f"{server.name}: it calls itself {machine.shown}", err=True)
        confirm()
    if pinned is not None and pinned.called == machine.name:
        click.echo(f"{server.name}: machine {machine.id} is pinned already")
        return
    write_pins(path, {str(server.address): Pin(machine.id, machine.name)})
    click.echo(f"{server.name}: machine {machine.id}, called {machine.name}, is pinned in {path}")


@dataclass(frozen=True, slots=True)
class Gone:
    """What is pinned of a server, whether servers.tsv still has it or not."""

    name: str
    address: str
    names: tuple[str, ...]


def known_or_gone(site: Site, name: str, pins: Mapping[str, Pin]) -> Gone:
    """Return a server by its name, or one whose row is gone by its address or by what its machine called itself."""
    for server in site.servers:
        if name in (server.name, str(server.address)):
            return Gone(server.name, str(server.address), (server.name, server.fqdn))
    for address, pin in pins.items():
        if name in (address, pin.called):
            return Gone(name, address, (name,))
    try:
        return Gone(name, str(IPv4Address(name)), (name,))
    except ValueError:
        near = nearest(name, (server.name for server in site.servers))
        raise UsageError(
            f"no server is named {name}",
            where="servers.tsv",
            hint=f"{near}; a server whose row is gone is named by its address",
        ) from None


def _ask(site: Site, server: Server) -> Machine | None:
    """Return what the host says of itself; None when kbz cannot log in to it yet."""
    from keybuzz.transport.ssh.ask_machine import ask_machine

    extras = {
        "name": server.name,
        "key_filename": str(site.settings.key_filename),
        "known_hosts": str(site.settings.known_hosts),
    }
    try:
        return ask_machine(str(server.address), server.user, extras)
    except ContactError as error:
        click.echo(f"{server.name}: its machine is pinned before its first change: {error.what}")
        return None


def trusted(site: Site) -> list[dict[str, Any]]:
    """Return each server with what is pinned of it."""
    from keybuzz.transport.machine_pins import pins_file, read_pins
    from keybuzz.transport.ssh.known_hosts import pinned_keys
    from keybuzz.transport.ssh.pinning import read_text

    text = read_text(site.settings.known_hosts)
    pins = read_pins(pins_file(site.settings.known_hosts))
    rows: list[dict[str, Any]] = []
    for server in site.servers:
        address = str(server.address)
        keys = sorted(pinned_keys(text, address, 22).accepted)
        pin = pins.get(address)
        rows.append(
            {
                "host": server.name,
                "address": address,
                "keys": [_fingerprint(kind, blob) for kind, blob in keys],
                "machine": pin.id if pin is not None else None,
                "called": pin.called if pin is not None else None,
            }
        )
    return rows


def trusted_text(rows: list[dict[str, Any]]) -> str:
    """Return a table of them."""
    lines = []
    for row in rows:
        keys = ", ".join(row["keys"]) or "no key"
        machine = f"machine {row['machine']}" if row["machine"] else "no machine yet"
        called = f", called {row['called']}" if row["called"] not in (None, row["host"]) else ""
        lines.append(f"{row['host']:<18} {row['address']:<12} {keys}  {machine}{called}\n")
    return "".join(lines)


def trusted_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the same for programs."""
    return {"format_version": 1, "verb": "hosts list", "hosts": rows}


def _fingerprint(kind: str, blob: str) -> str:
    import base64

    from keybuzz.transport.ssh.known_hosts import fingerprint

    try:
        return f"{kind} {fingerprint(base64.b64decode(blob, validate=True))}"
    except ValueError:
        return f"{kind} (damaged)"

"""Which server of the inventory kbz runs on: at most one, and only the controller (facts/02)."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keybuzz.agent.host.machine import addresses
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

CONTROLLER = "controller"
"""The group of the server that kbz runs on."""


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine is to the inventory."""

    local: str = ""
    """The server that it is; empty when it is none of them."""
    refused: dict[str, str] = field(default_factory=dict)
    """Servers whose address it has without being the controller, and why nothing is done to them from here."""


def this_machine(servers: Sequence[Server], lab: LabSettings | None) -> Here:
    """Return what this machine is, by the addresses of its interfaces and by its name.

    The servers of a lab are in its network only: from anywhere else their addresses are those of other machines.
    """
    if lab is not None and not _inside(lab.namespace):
        why = f"the network of lab {lab.name} was not entered, and outside it no lab server exists"
        return Here(refused={server.name: f"{why} → kbz lab up" for server in servers})
    return judge(servers, addresses(), os.uname().nodename)


def _inside(namespace: Path) -> bool:
    """Return whether this thread is in a network namespace."""
    try:
        return namespace.samefile("/proc/thread-self/ns/net")
    except OSError:  # there is no such namespace
        return False


def judge(servers: Sequence[Server], own: Collection[str], name: str) -> Here:
    """Return what a machine with these addresses and this name is. Pure."""
    found = sorted((s for s in servers if str(s.address) in own), key=lambda server: server.name)
    why = _refusal(found, servers, name) if found else ""
    if why:
        return Here(refused={server.name: why for server in found})
    return Here(local=found[0].name if found else "")


def _refusal(found: Sequence[Server], servers: Sequence[Server], name: str) -> str:
    """Return why a machine with the addresses of these servers is none of them, or nothing."""
    if len(found) > 1:
        names = ", ".join(server.name for server in found)
        return f"this machine has the addresses of {names} → `ip addr` shows them; one machine is one server"
    [server] = found
    if CONTROLLER not in server.groups:
        right = ", ".join(s.name for s in servers if CONTROLLER in s.groups) or "no server"
        return (
            f"this machine has the address of {server.name}, and kbz runs on {right} (group controller)"
            " → run kbz there"
        )
    called = {name.lower(), name.lower().partition(".")[0]}
    if not called & {server.name, server.fqdn.lower()}:
        return (
            f"this machine calls itself {name} and has the address of {server.name} → "
            f"if it is {server.name}: {proposed('hostnamectl', 'set-hostname', server.name)}"
        )
    return ""

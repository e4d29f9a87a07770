"""The provider's load balancers: one network namespace each, in which Debian's HAProxy does TCP.

They do what the provider's do, no more: round robin over the targets whose port accepts a
connection. What a protocol means is judged by the fleet's own proxies behind them.
"""

from __future__ import annotations

import csv
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keybuzz.lab import service
from keybuzz.lab.layout import HostPlaces, ServicePlaces
from keybuzz.lab.network import network
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server, VirtualAddress

_PROGRAM = "/usr/sbin/haproxy"
_ANSWER_SECONDS = 2.0

# LB-2: TCP checks every 2 s, 2 s of patience, 3 in a row to change a target's state; the provider
# counts the same number to take it back.
_HEAD = """global
  user haproxy
  group haproxy
  maxconn 4000
  stats socket {socket} mode 600
defaults
  mode tcp
  log stdout format raw local0 notice
  balance roundrobin
  timeout connect 5s
  timeout check 2s
  timeout client 1h
  timeout server 1h
  default-server check inter 2s fall 3 rise 3
"""


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer and where it leads, as the catalogue says."""

    virtual: VirtualAddress
    targets: tuple[Server, ...]

    @property
    def name(self) -> str:
        """Its name in groups.yaml."""
        return self.virtual.name


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target behind one port, as the load balancer sees it now."""

    port: int
    target: str
    up: bool


def balancers(catalogue: GroupCatalogue, servers: Iterable[Server]) -> tuple[Balancer, ...]:
    """Return the load balancers of the catalogue, each with all servers of its target groups."""
    fleet = tuple(servers)
    return tuple(
        Balancer(
            virtual,
            tuple(
                member
                for group in virtual.targets
                for member in catalogue.group(group).members(fleet)
            ),
        )
        for virtual in catalogue.virtual_addresses
    )


def ensure(settings: LabSettings, balancer: Balancer) -> bool:
    """Make sure that it runs with its present targets; return whether it had to be started."""
    name, config = balancer.name, config_text(settings, balancer)
    connected = network.is_connected(settings, name)
    if connected and service.runs_with(settings, name, config) and answers(settings, name):
        return False
    places = service.prepare(settings, name, config)
    network.connect(settings, balancer.virtual)
    namespace = HostPlaces(settings, name).namespace
    words = ["nsenter", f"--net={namespace}", _PROGRAM, "-db", "-f", str(places.config)]
    service.start(settings, name, words, lambda: answers(settings, name))
    return True


def config_text(settings: LabSettings, balancer: Balancer) -> str:
    """Return its haproxy.cfg."""
    lines = [_HEAD.format(socket=ServicePlaces(settings, balancer.name).socket)]
    for port in balancer.virtual.ports:
        lines.append(f"listen {port}\n  bind {balancer.virtual.address}:{port}\n")
        lines += [f"  server {t.name} {t.address}:{port}\n" for t in balancer.targets]
    return "".join(lines)


def answers(settings: LabSettings, name: str) -> bool:
    """Return whether it answers questions about itself."""
    return bool(_ask(ServicePlaces(settings, name).socket, "show info"))


def states(settings: LabSettings, name: str) -> tuple[TargetState, ...]:
    """Return every target behind every port; () when the load balancer does not run."""
    return parse_states(_ask(ServicePlaces(settings, name).socket, "show stat"))


def parse_states(statistics: str) -> tuple[TargetState, ...]:
    """Return the targets in the CSV text of HAProxy's `show stat`."""
    rows = csv.DictReader(statistics.removeprefix("# ").splitlines())
    return tuple(
        TargetState(int(row["pxname"]), row["svname"], row["status"].startswith("UP"))
        for row in rows
        if row["svname"] not in ("FRONTEND", "BACKEND")
    )


def _ask(place: Path, question: str) -> str:
    """Return HAProxy's answer on its socket, or "" without an answer."""
    parts = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_ANSWER_SECONDS)
        try:
            client.connect(str(place))
            client.sendall(f"{question}\n".encode())
            while part := client.recv(65536):
                parts.append(part)
        except OSError:
            return ""
    return b"".join(parts).decode(errors="replace")

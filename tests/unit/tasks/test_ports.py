"""A module tells its ports once: its own files, the firewall and drift know the same ones, on every server."""

from __future__ import annotations

import re

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift.strays import explained
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.model.core.reading import TcpPorts
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.host.system import Firewall
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Module
from tests.unit.support.site_values import memory_nornir, memory_site

SITE = memory_site()
EVERY = all_modules()
FOUND = describe_all(memory_nornir(SITE), EVERY)
SERVING = tuple(module for module in EVERY if module.ground is not None)
LISTENS = re.compile(
    r"(?m)^\s*(?:bind|listen|listen_port|listeners\.tcp\.\d+|port)\b\s*[:= ]\s*(?:[\w.]+:)?(\d{2,5})\s*$"
)
"""How configuration files of services name a port that they open."""


def opened(host: HostDescription, module: Module) -> set[int]:
    """Return the ports that a module's own files, readings and entrances on a host speak of."""
    description = host.modules[module.name]
    files = (r.text.masked() for r in description.resources if isinstance(r, File))
    asked = (r.ports for r in description.readings if isinstance(r, TcpPorts))
    return {
        *(int(port) for text in files for port in LISTENS.findall(text)),
        *(port for ports in asked for port in ports),
        *(entrance.port for entrance in module.entrances),
    }


def firewall(resources: tuple[Resource, ...]) -> Firewall:
    [found] = (resource for resource in resources if isinstance(resource, Firewall))
    return found


@pytest.mark.parametrize("module", SERVING, ids=lambda module: module.name)
def test_every_port_that_a_module_opens_is_in_its_one_list(module: Module) -> None:
    assert module.ground is not None
    [server, *_] = SITE.members(module.group)
    assert opened(FOUND[server.name], module) <= set(module.ground.ports)
    assert not set(module.ground.ports) & set(module.ground.former)


def test_the_files_of_the_services_name_ports_that_this_test_can_read() -> None:
    names = {m.name: opened(FOUND[SITE.members(m.group)[0].name], m) for m in SERVING}
    assert {5432, 6432, 8404} <= names["postgres-proxy"]
    assert {5432, 8008} <= names["patroni"]
    assert 5672 in names["rabbitmq"]


@pytest.mark.parametrize("server", SITE.servers, ids=lambda server: server.name)
def test_drift_and_the_firewall_know_the_same_ports(server: Server) -> None:
    """What only one of them knew was refused on an old deployment, or closed and then told as stray."""
    known = explained(SITE, server, EVERY).ports
    rules = firewall(FOUND[server.name].modules["base"].resources)
    former = {p for m in SERVING if m.group in server.groups and m.ground for p in m.ground.former}
    tcp = {
        int(port) for port, _, kind in (s.partition("/") for s in rules.services) if kind == "tcp"
    }
    assert known == (tcp - former) | rules.listening

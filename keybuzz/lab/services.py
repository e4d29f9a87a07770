"""What a lab runs beside its hosts: the registry, name servers, and the provider's load balancers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from keybuzz.lab import service
from keybuzz.lab.hosts.process import Report, exclusive
from keybuzz.lab.layout import CONTROLLER, NAME_SERVERS, lock_file
from keybuzz.lab.network import balancer, network, resolver
from keybuzz.lab.network.balancer import Balancer, TargetState
from keybuzz.lab.supply import registry
from keybuzz.model.inventory.lab import LabSettings


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service, now."""

    name: str
    address: IPv4Address
    port: int
    answers: bool
    targets: tuple[TargetState, ...] = ()


def up(settings: LabSettings, balancers: Sequence[Balancer], report: Report) -> None:
    """Make sure that the registry, the name servers and these load balancers run. Idempotent; repairs what crashed.

    The lab's network must be there, or this makes it; the programs come with the first `lab.up`.
    """
    with exclusive(lock_file(settings)):
        network.ensure_bridge(settings)
        if registry.ensure(settings):
            report(registry.NAME, f"answers at {CONTROLLER}:{registry.PORT}")
        if resolver.ensure(settings):
            told = " and ".join(str(address) for address in NAME_SERVERS)
            report(resolver.NAME, f"answers at {told}, port {resolver.PORT}: no name is known")
        for one in balancers:
            if balancer.ensure(settings, one):
                ports = " ".join(str(port) for port in one.virtual.ports)
                report(one.name, f"answers at {one.virtual.address}, ports {ports}")


def down(settings: LabSettings) -> None:
    """End all services of the lab, those that only a crash left too. The caller holds the lock."""
    for name in service.names(settings):
        service.stop(settings, name)
        network.disconnect(settings, name)
        service.forget(settings, name)


def running(settings: LabSettings) -> tuple[str, ...]:
    """Return the names of the services that have a living process."""
    return tuple(
        name for name in service.names(settings) if service.group(settings, name).populated()
    )


def status(settings: LabSettings, balancers: Sequence[Balancer]) -> tuple[ServiceStatus, ...]:
    """Return a row for the registry, one for the name servers, and one for each port of each load balancer."""
    first = ServiceStatus(registry.NAME, CONTROLLER, registry.PORT, registry.answers(settings))
    names = ServiceStatus(resolver.NAME, NAME_SERVERS[0], resolver.PORT, resolver.answers(settings))
    return (first, names, *(row for one in balancers for row in _rows(settings, one)))


def _rows(settings: LabSettings, one: Balancer) -> list[ServiceStatus]:
    states = balancer.states(settings, one.name)
    return [
        ServiceStatus(
            one.name,
            one.virtual.address,
            port,
            bool(states),
            tuple(state for state in states if state.port == port),
        )
        for port in one.virtual.ports
    ]

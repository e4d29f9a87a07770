"""The description of each host: made once per run, by Nornir, with its templates rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.planning import applicable
from keybuzz.engine.look.render import rendered
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.plan import NotApplicable
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.system import Firewall
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task


@dataclass(frozen=True, slots=True)
class HostDescription:
    """What one host must be, module by module, in order."""

    modules: Mapping[str, Description]
    not_applicable: tuple[NotApplicable, ...]


def describe(task: Task, modules: tuple[Module, ...]) -> Result:
    """Nornir task: the result is the host's HostDescription."""
    from nornir.core.task import Result

    return Result(host=task.host, result=describe_host(task, modules))


def describe_host(task: Task, modules: tuple[Module, ...]) -> HostDescription:
    """Describe and render every module that runs on the host."""
    site: Site = task.nornir.config.user_defined["site"]
    server = task.host["server"]
    described: dict[str, Description] = {}
    left: list[NotApplicable] = []
    ports = frozenset(_service_ports(server))

    def knowing(resource: Resource) -> Resource:
        return replace(resource, services=ports) if isinstance(resource, Firewall) else resource

    for module in modules:
        if module.group not in server.groups:
            continue
        found = module.describe(site, server)
        kept, not_kept = applicable(site, server.name, map(knowing, found.resources))
        left.extend(not_kept)
        described[module.name] = replace(
            found,
            resources=tuple(rendered(task, resource) for resource in kept),
            cluster=tuple(rendered(task, resource) for resource in found.cluster),
        )
    return HostDescription(described, tuple(left))


def _service_ports(server: Server) -> Iterator[str]:
    """Yield the ports of every module's service on a server, also of those that this run leaves alone."""
    for module in all_modules():
        if module.group in server.groups and module.ground is not None:
            yield from (f"{port}/tcp" for port in module.ground.every_port)
            yield from (f"{port}/udp" for port in module.ground.datagrams)


def describe_all(nornir: Nornir, modules: tuple[Module, ...]) -> dict[str, HostDescription]:
    """Describe every host of the Nornir object; the first error of a description stops everything."""
    descriptions: dict[str, HostDescription] = {}
    done = nornir.run(task=describe, modules=modules)
    nornir.data.reset_failed_hosts()  # who cannot be described can still be changed by what can
    for host, results in done.items():
        error = results[0].exception
        if isinstance(error, InputError):
            raise error
        if error is not None:
            raise InputError(f"the description cannot be made: {error}", where=host) from error
        descriptions[host] = results[0].result
    return descriptions


def describe_more(
    nornir: Nornir,
    site: Site,
    descriptions: Mapping[str, HostDescription],
    modules: tuple[Module, ...],
) -> dict[str, HostDescription]:
    """Return the descriptions with these modules added on every member of their groups."""
    members = {server.name for module in modules for server in site.members(module.group)}
    chosen = nornir.filter(filter_func=lambda host: host.name in members)
    merged = dict(descriptions)
    for host, found in describe_all(chosen, modules).items():
        known = merged.get(host, HostDescription({}, ()))
        merged[host] = replace(known, modules={**known.modules, **found.modules})
    return merged

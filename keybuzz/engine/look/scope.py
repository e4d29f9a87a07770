"""Which modules a selection of hosts concerns: the others are neither asked nor judged. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import HostView, Live
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.host.system import SystemdUnit
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_PROOFS = (Container, File, SystemdUnit)
"""Kinds that are read before a service has started: what is there of them was installed."""


def concerned(
    modules: Iterable[Module], site: Site, selected: frozenset[str]
) -> tuple[Module, ...]:
    """Return the modules that have a selected host among their members, in the same order.

    A cluster is judged over all its members or not at all: nothing can be said of one that was not asked.
    """
    return tuple(
        module
        for module in modules
        if selected & {server.name for server in site.members(module.group)}
    )


def proven_virgin(module: Module, live: Live) -> bool:
    """Return whether every member answered and proves that nothing of the module was ever installed there.

    A member that does not answer, or of which something could not be read, proves nothing.
    """
    if module.virgin is None or len(live.hosts) < len(live.members):
        return False
    views = live.hosts.values()
    return all(was_read(view) and not _has_container(view) for view in views) and module.virgin(
        live
    )


def was_read(view: HostView) -> bool:
    """Return whether everything was read on a host by which an installation is known."""
    proofs = (resource for resource in view.resources if isinstance(resource, _PROOFS))
    return not any(view.unread(resource.identity) for resource in proofs)


def _has_container(view: HostView) -> bool:
    containers = (found for found in view.resources if isinstance(found, Container))
    return any(view.present(container.identity) for container in containers)

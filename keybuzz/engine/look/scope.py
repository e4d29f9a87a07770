"""Which modules a selection of hosts concerns: the others are neither asked nor judged. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.live import Live
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.site.module import Module
from keybuzz.site.site import Site


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

    A member that does not answer, or whose files cannot be read, proves nothing.
    """
    if module.virgin is None or len(live.hosts) < len(live.members):
        return False
    for view in live.hosts.values():
        for resource in view.resources:
            state = view.states.get(resource.identity)
            if isinstance(resource, Container) and state is not None and state.present:
                return False
            if isinstance(resource, File) and (state is None or state.problem):
                return False
    return module.virgin(live)

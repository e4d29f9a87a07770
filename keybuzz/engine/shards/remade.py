"""Descriptions made again from their names, by a worker that has the same site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from keybuzz.engine.drift import inside, strays
from keybuzz.engine.look.describe import describe_host
from keybuzz.model.core.errors import InputError
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core.task import Task


def remade(
    task: Task, names: Iterable[str], modules: tuple[Module, ...]
) -> tuple[Description, ...]:
    """Return the descriptions of these names for the task's host; InputError for a name that there is not.

    A name is that of a module, or of what drift asks besides: strays, and what is inside a cluster.
    """
    wanted = tuple(names)
    site: Site = task.nornir.config.user_defined["site"]
    host = task.host.name
    chosen = tuple(module for module in modules if module.name in wanted)
    found = dict(describe_host(task, chosen).modules)
    if strays.READING in wanted:
        # Which keys are kbz's own is judged by the controller.
        known = strays.known(site, host, modules, frozenset())
        found[strays.READING] = Description((), (strays.sweep(known),))
    found |= inside.asked(site, host, modules)
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"nothing here is named {', '.join(missing)[:200]}", where=host)
    return tuple(found[name] for name in wanted)

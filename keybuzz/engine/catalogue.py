"""Which modules a command is about, and what all of them declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module
from keybuzz.site.modules import all_modules
from keybuzz.site.parameters.check import Declared, by_name, checked
from keybuzz.site.parameters.own import IN_ALL, OWN
from keybuzz.site.site import Site

__all__ = ["all_modules", "also", "choose", "declared", "entries_before", "named_only", "settled"]


def declared() -> Declared:
    """Return every parameter of site.yaml that some part of kbz reads."""
    of_modules = (parameter for module in all_modules() for parameter in module.parameters)
    return by_name((*OWN, *of_modules))


def settled(site: Site) -> Site:
    """Return the site with defaults filled in; InputError with file:line for parameters that are wrong."""
    return replace(site, settings=checked(site.settings, declared()))


def also(site: Site) -> frozenset[str]:
    """Return the modules on request that are part of `all` on this site; InputError for a name that is none."""
    named = frozenset(IN_ALL.of(site))
    known = {module.name for module in all_modules() if module.on_request}
    for name in sorted(named - known):
        hint = f"modules on request: {', '.join(sorted(known)) or 'none'}"
        what = f"{IN_ALL.name} names {name}, which is no module on request"
        raise InputError(what, where="site.yaml", hint=hint)
    return named


def choose(names: Iterable[str], also: frozenset[str] = frozenset()) -> tuple[Module, ...]:
    """Return the named modules with all that they require, in order.

    `all` names every one but those on request, of which only `also` belong to it.
    """
    modules = {module.name: module for module in all_modules()}
    wanted = list(names)
    if "all" in wanted:
        of_all = [m.name for m in modules.values() if not m.on_request or m.name in also]
        wanted = [*(name for name in wanted if name != "all"), *of_all]
    chosen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in modules:
            raise UsageError(f"there is no module {name}", hint=_hint(name, modules))
        if name not in chosen:
            chosen.add(name)
            wanted.extend(modules[name].requires)
    return tuple(module for module in modules.values() if module.name in chosen)


def _hint(name: str, modules: Mapping[str, Module]) -> str:
    """Return the near module; else where the word of a host or a group belongs."""
    titled = [m.name for m in modules.values() if name.lower() in m.title.lower()]
    if len(name) > 2 and titled:
        return f"did you mean {' or '.join(titled[:2])}?"
    near = nearest(name, [*modules, "all"])
    if near.startswith("did you mean"):
        return near
    return f"{near}; hosts and groups are chosen with --limit, such as --limit {name}"


def named_only(names: Iterable[str], also: frozenset[str] = frozenset()) -> tuple[Module, ...]:
    """Return exactly the named modules, without what they require: they decide which hosts are meant."""
    wanted = set(names)
    chosen = choose(wanted, also)
    return tuple(module for module in chosen if "all" in wanted or module.name in wanted)


def entries_before(
    modules: Iterable[Module], site: Site, hosts: frozenset[str]
) -> tuple[Module, ...]:
    """Return the entries that lead to clusters of which one of these hosts is a member.

    A run that may interrupt such a member lets them lead elsewhere, whatever the run is about.
    """
    every = {module.name: module for module in modules}
    return tuple(
        front
        for front in every.values()
        if front.fronts in every
        and site.members(front.group)
        and hosts & {server.name for server in site.members(every[front.fronts].group)}
    )

"""Strays inside clusters: accounts, databases, vhosts and buckets that no description names. Pure.

Modules say how to ask for them and which are described. They are reported; a run never removes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keybuzz.engine.look.survey import Survey
from keybuzz.model.core.proposed import proposed
from keybuzz.model.reports.drift import DriftItem
from keybuzz.site.module import Description, Inside, Module
from keybuzz.site.site import Site

_MOST = 200
"""Things of one module: a cluster that has more has another problem."""
_LONGEST = 80


def asked(site: Site, host: str, modules: Iterable[Module]) -> dict[str, Description]:
    """Return the questions to one host, by a name of their own for each module."""
    server = site.server(host)
    return {
        f"inside {module.name}": Description((), module.inside.ask(site, server))
        for module in modules
        if module.inside is not None and module.group in server.groups
    }


def items(site: Site, found: Survey) -> Iterator[DriftItem]:
    """Yield each thing once: a cluster's is the cluster's, whichever member named it."""
    seen: set[str] = set()
    for module, inside, host in _members(site, found):
        things = inside.undescribed(site, found.snapshot.observations[host].answers) or {}
        for name, what in sorted(things.items())[:_MOST]:
            identity = f"stray/{_place(module, inside, host)}/{_visible(name)}"
            if identity not in seen:
                seen.add(identity)
                yield DriftItem(
                    identity, host, f"{_visible(what)}; {_way_out(module, inside, name)}"
                )


def looked(site: Site, found: Survey) -> Iterator[str]:
    """Yield the beginnings of the ids that the answers would have shown."""
    for module, inside, host in _members(site, found):
        things = inside.undescribed(site, found.snapshot.observations[host].answers)
        if things is not None and len(things) <= _MOST:
            yield from (f"stray/{_place(module, inside, host)}/{kind}:" for kind in inside.kinds)


def problems(site: Site, found: Survey) -> Iterator[str]:
    """Yield what was not looked at, in sentences: one member of a cluster tells it for all."""
    seen = set(looked(site, found))
    told: set[str] = set()
    for module, inside, host in _members(site, found):
        place = _place(module, inside, host)
        if place in told or any(name.startswith(f"stray/{place}/") for name in seen):
            continue
        told.add(place)
        answers = found.snapshot.observations[host].answers
        if inside.undescribed(site, answers) is not None:
            yield f"{place}: more {_kinds(inside)} than are listed"
            continue
        asked = (reading.name for reading in inside.ask(site, site.server(host)))
        reasons = (answers[name].problem for name in asked if name in answers)
        why = next((reason for reason in reasons if reason), "the answer says nothing of them")
        yield f"{place}: {_kinds(inside)} were not looked for: {why}"


def _kinds(inside: Inside) -> str:
    kinds = (kind for kind in inside.kinds if kind not in inside.by_hand)
    return " and ".join(f"stray {kind}s" for kind in kinds)


def _members(site: Site, found: Survey) -> Iterator[tuple[Module, Inside, str]]:
    for module in found.modules:
        for host in sorted(found.selected & set(found.snapshot.observations)):
            if module.inside is not None and module.group in site.server(host).groups:
                yield module, module.inside, host


def _way_out(module: Module, inside: Inside, name: str) -> str:
    """Return what to do: data is removed by hand, an account by a verb that asks for its name."""
    kind, _, own = name.partition(":")
    by = "remove it by hand: no run does"
    if inside.removed is not None and kind == inside.account:
        by = proposed("kbz", "apps", "remove-account", module.name, own)
    return by if kind in inside.by_hand else f"describe it in applications.yaml, or {by}"


def _place(module: Module, inside: Inside, host: str) -> str:
    return host if inside.each_host else module.name


def _visible(text: str) -> str:
    """Return what a host said, on one line and not endless."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"

"""Which modules of a run may be at work at the same time: derived from what each declares, and from who is where. Pure.

Two modules share a host when both change, interrupt or ask it: each is at work alone there. So what a module can touch
is its own members, the clusters and entries that a stage on them concerns, and the members of what all of those need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from keybuzz.site.module import Module
from keybuzz.site.site import Site

Known = Mapping[str, Module]


class End(Enum):
    """How a module of a run ended."""

    WELL = "well"
    FAILED = "failed"
    NOT_BEGUN = "not begun"


Ends = Mapping[str, End]
"""By the modules that have ended."""


@dataclass(frozen=True, slots=True)
class Place:
    """One module of a run, and when it may begin."""

    module: Module
    needs: frozenset[str]
    """Modules of the run that must have ended well before."""
    after: frozenset[str]
    """Further modules of the run that must have ended before, however they did: they share a host with this one."""
    own: frozenset[str]
    """Its members."""
    hosts: frozenset[str]
    """All hosts that it may change, interrupt or ask."""

    @property
    def name(self) -> str:
        """The name of the module."""
        return self.module.name

    @property
    def before(self) -> frozenset[str]:
        """All modules of the run that it waits for."""
        return self.needs | self.after

    def open(self, ends: Ends) -> bool:
        """Return whether all that it waits for has ended, and itself has not."""
        return self.name not in ends and self.before <= ends.keys()

    def barred(self, places: Mapping[str, Place], ends: Ends) -> bool:
        """Return whether it cannot begin any more: what it needs did not end well, or its own hosts are in trouble.

        A module that failed leaves hosts behind that are not what another one could begin with.
        """
        bad = {name for name in self.before if ends.get(name, End.WELL) is not End.WELL}
        failed = {name for name in bad if ends[name] is End.FAILED}
        return bool(self.needs & bad) or any(self.own & places[name].own for name in failed)


def arrange(chain: Iterable[Module], every: Iterable[Module], site: Site) -> tuple[Place, ...]:
    """Return the modules of a run in an order that is right one after the other too, each with what it waits for.

    Of two that exclude each other, the one that needs fewer others comes first; then the owner's order decides.
    """
    known = {module.name: module for module in (*every, *chain)}
    named = {module.name: module for module in chain}
    needs = {name: _needs(module, named) for name, module in named.items()}
    depths = {name: _depth(name, needs) for name in named}
    places: list[Place] = []
    for name in sorted(named, key=lambda one: depths[one]):  # sorted() keeps the owner's order
        module = named[name]
        hosts = _touched(module, known, site)
        shared = frozenset(other.name for other in places if other.hosts & hosts)
        places.append(
            Place(module, needs[name], shared - needs[name], _members(module, site), hosts)
        )
    return tuple(places)


def declared(module: Module) -> frozenset[str]:
    """Return the modules that one says it needs, in whatever words."""
    fronted = (module.fronts,) if module.fronts else ()
    return frozenset((*module.requires, *module.needs, *module.reaches, *fronted))


def _needs(module: Module, named: Known) -> frozenset[str]:
    found = declared(module) & named.keys()
    if not module.comes_last:
        return found
    others = (
        other.name
        for other in named.values()
        if not other.comes_last and module.name not in _all_needs(other, named)
    )
    return found | frozenset(others)


def _all_needs(module: Module, named: Known) -> frozenset[str]:
    """Return what a module needs, and what those need."""
    found = frozenset[str]()
    left = declared(module) & named.keys()
    while left:
        found |= left
        left = frozenset(
            name
            for one in left
            for name in declared(named[one]) & named.keys()
            if name not in found
        )
    return found


def _depth(name: str, needs: Mapping[str, frozenset[str]]) -> int:
    return 1 + max((_depth(other, needs) for other in needs[name]), default=0)


def _touched(module: Module, known: Known, site: Site) -> frozenset[str]:
    """Return the hosts of a module, of the clusters and entries that its stages concern, and of what those need."""
    involved: dict[str, Module] = {}
    left = [module]
    while left:
        one = left.pop()
        involved[one.name] = one
        left += [other for other in _concerned(one, known, site) if other.name not in involved]
    needed = (
        known[name]
        for one in involved.values()
        for name in declared(one) - set(one.requires)
        if name in known
    )
    return frozenset(host for one in (*involved.values(), *needed) for host in _members(one, site))


def _concerned(module: Module, known: Known, site: Site) -> Iterator[Module]:
    """Yield the clusters whose members a stage on the hosts of a module may interrupt, and the entries before it."""
    own = _members(module, site)
    for other in known.values():
        carried = other.members_up is not None and own & _members(other, site)
        if carried or other.fronts == module.name:
            yield other


def _members(module: Module, site: Site) -> frozenset[str]:
    return frozenset(server.name for server in site.members(module.group))

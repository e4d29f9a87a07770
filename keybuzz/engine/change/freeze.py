"""FRZ-1: a frozen module on a deployed cluster is reported and not changed, unless this run lifts the freeze.

A virgin cluster may be installed; that it is virgin is proven from its hosts: what could not be read on a host that
the run would change proves nothing. While a first install is under way a mark in the state folder says so: an install
that was cut off is neither virgin nor deployed, and its next run may finish it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.scope import was_read
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Change
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module

_SHORTEST_REASON = 10


@dataclass(frozen=True, slots=True)
class Lift:
    """The owner's word that frozen modules may be changed by this run. Its reason is in the journal."""

    modules: frozenset[str]
    reason: str


NO_LIFT = Lift(frozenset(), "")


def lift(modules: Iterable[str], reason: str, chain: Iterable[Module]) -> Lift:
    """Return the lift, or UsageError when a module is not part of the run or the reason says nothing."""
    names = frozenset(modules)
    touched = {name for module in chain for name in (module.name, *module.reaches)}
    if foreign := sorted(names - touched):
        raise UsageError(f"--lift-freeze {foreign[0]}: this run does not touch that module")
    if names and len(reason.strip()) < _SHORTEST_REASON:
        raise UsageError(
            "--lift-freeze needs --reason TEXT: a sentence that the journal keeps",
            hint="who decided it, and why",
        )
    if reason and not names:
        raise UsageError("--reason belongs to --lift-freeze MODULE")
    return Lift(names, reason.strip())


@dataclass(frozen=True, slots=True)
class Freeze:
    """What is frozen for one run."""

    groups: frozenset[str]
    """Groups of policies.yaml."""
    lifted: Lift
    installs: FirstInstalls
    """The first installs that have begun and not ended."""

    def refuses(self, module: Module, live: Live) -> bool:
        """Return whether the module is frozen and the cluster is not virgin, or one that it reaches is frozen.

        Nothing is written.
        """
        return self._refuses_own(module, live) or bool(self._reached(live))

    def _refuses_own(self, module: Module, live: Live) -> bool:
        return self._holds(module, live) and not _virgin(module, live)

    def _reached(self, live: Live) -> tuple[Change, ...]:
        """Return the changes inside frozen clusters of other modules: this one's hosts prove nothing about those."""
        held = frozen_among(all_modules(), self.groups) - self.lifted.modules
        return reaching(live.changes(), held)

    def _holds(self, module: Module, live: Live) -> bool:
        """Return whether only virgin ground may be changed: neither lifted, nor in the middle of a first install."""
        frozen = (module.frozen_as or module.group) in self.groups
        if not frozen or module.name in self.lifted.modules:
            return False
        return not self.installs.of(module.name, _members(live)).counts

    def require_free(self, module: Module, live: Live) -> None:
        """Raise RefusedError before the first change of a frozen module on a deployed cluster."""
        if (refusal := self.refusal(module, live)) is not None:
            raise refusal
        if self._holds(module, live):
            self.begin(module, live)

    def refusal(self, module: Module, live: Live) -> RefusedError | None:
        """Return what a run would refuse the module's changes with; None when it would not. Nothing is written."""
        if not self._refuses_own(module, live):
            reached = self._reached(live)
            return _not_reached(module, reached) if reached else None
        told = self.installs.of(module.name, _members(live)).what
        told = f". Not counted: {told}" if told else ""
        changes = len(tuple(live.changes()))
        return RefusedError(
            f"module {module.name} is frozen (FRZ-1) and its cluster is deployed: "
            f"{changes} change{'s' * (changes != 1)} needed, none made{_additions(live)}{told}",
            where=module.name,
            hint=f"{proposed('kbz', 'drift', module.name)} shows them; for one run: "
            f"--lift-freeze {module.name} --reason 'who decided it, and why'",
        )

    def begin(self, module: Module, live: Live) -> None:
        """A first install, or a recovery whose name was typed, begins: its next run may finish it."""
        self.installs.begin(module.name, _members(live))

    def converged(self, module: Module) -> None:
        """The module is as described: a first install has ended."""
        self.installs.end(module.name)


def frozen_among(modules: Iterable[Module], groups: Collection[str]) -> frozenset[str]:
    """Return the names of the modules that policies.yaml freezes."""
    return frozenset(m.name for m in modules if (m.frozen_as or m.group) in groups)


def reaching(changes: Iterable[Change], frozen: Collection[str]) -> tuple[Change, ...]:
    """Return the changes inside the clusters of these modules, by resources that another module describes."""
    return tuple(change for change in changes if change.resource.cluster_of in frozen)


def _not_reached(module: Module, reached: tuple[Change, ...]) -> RefusedError:
    other = reached[0].resource.cluster_of
    names = ", ".join(dict.fromkeys(change.identity for change in reached))
    return RefusedError(
        f"module {module.name} needs {names} inside the cluster of {other}, which is frozen (FRZ-1); nothing was made",
        where=module.name,
        hint=f"{proposed('kbz', 'drift', module.name)} shows it; for one run: "
        f"--lift-freeze {other} --reason 'who decided it, and why'",
    )


def _members(live: Live) -> tuple[str, ...]:
    return tuple(server.name for server in live.members)


def _virgin(module: Module, live: Live) -> bool:
    """Return whether the module calls it virgin, and every host that the run would change could be read."""
    touched = {change.host for change in live.changes()}
    return (
        module.virgin is not None
        and all(was_read(live.hosts[host]) for host in touched)
        and module.virgin(live)
    )


def _additions(live: Live) -> str:
    """Return which applications ask for what, where all that is needed is described for them."""
    asked: dict[str, list[str]] = {}
    for change in live.changes():
        asked.setdefault(change.resource.application, []).append(change.identity)
    asked = {name: list(dict.fromkeys(found)) for name, found in asked.items()}
    if not asked or "" in asked:
        return ""
    words = "; ".join(f"{', '.join(found)} for {name}" for name, found in sorted(asked.items()))
    return f". They are additions that applications.yaml describes, and need the owner's lift once: {words}"

"""The stages of a run before it begins: the modules' own rollouts, each asked again as if its stage had been applied.

A rollout decides on what the hosts say. A stage that was applied changes what they say of the resources, and that is
foretold; who leads after a switchover is not. So a list ends where a rollout would repeat itself, or only wait, and the
rest is told as what is left. What a run refuses is asked from the functions that it asks, and what comes behind the
first refusal is told as not reached. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from keybuzz.engine.adopt.credentials import require_same
from keybuzz.engine.change.freeze import Freeze
from keybuzz.engine.change.guard import carried_by, disrupted
from keybuzz.engine.joined import goes_on, is_joined, joined, taken_by, without
from keybuzz.engine.look.judging import topology_of
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live, Stage
from keybuzz.model.core.plan import Action, Change, State
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.reports.stages import PlannedStage, StageWork
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_MOST = 200
"""Stages of one module that are foretold: more than the longest roll over all servers has."""
_LEFT = "then what is left, from what the hosts are by then"


def foretold(
    site: Site,
    modules: tuple[Module, ...],
    lives: Mapping[str, Live],
    freeze: Freeze,
) -> tuple[PlannedStage, ...]:
    """Return the stages that a run of these modules would take, in order. `lives`: each module's cluster now."""
    roles = _roles(modules, lives)
    found = [*_before_all(site, modules, lives)]
    put_off: dict[str, Stage] = {}
    handed: set[tuple[str, str]] = set()
    for place, module in enumerate(modules):
        later = tuple(
            lives[other.name]
            for other in modules[place + 1 :]
            if goes_on(other, lives[other.name], freeze)
        )
        stages = _stages(module, lives[module.name], site.digest_key, later, put_off)
        first = next(stages, None)
        if first is None:
            continue
        if isinstance(first, Stage):
            found += _frozen(module, lives[module.name], freeze, found)
        for stage in chain((first,), stages):
            if isinstance(stage, PlannedStage):
                found.append(stage)
                continue
            left = stage.name == _LEFT
            together = joined(stage, put_off)
            for host in disrupted(stage) & put_off.keys():
                del put_off[host]
            for other, handing in _releases(module, together, site, modules, lives):
                done = {(module.name, host) for host in handing.hosts} <= handed
                if other.name == module.name and done:
                    continue  # by its own rollout, or a wait that its own gate is too
                found.append(_planned(other.name, handing, roles))
                _hand_over(roles.get(other.name, {}), handing)
            found.append(replace(_planned(module.name, together, roles), open=left))
            _hand_over(roles.get(module.name, {}), stage)
            handed |= {(module.name, host) for host in stage.hosts if stage.heirs}
    return tuple(_reached(found))


def coming_with(
    module: Module, later: Iterable[Module], lives: Mapping[str, Live], freeze: Freeze, site: Site
) -> dict[str, frozenset[str]]:
    """Return by later module the hosts on which this one's restart comes with that module's step."""
    to_come = tuple(lives[m.name] for m in later if goes_on(m, lives[m.name], freeze))
    put_off: dict[str, Stage] = {}
    for _ in _stages(module, lives[module.name], site.digest_key, to_come, put_off):
        pass
    taken = {host: taken_by(stage, to_come) for host, stage in put_off.items()}
    return {name: frozenset(h for h in taken if taken[h] == name) for name in taken.values()}


def _before_all(
    site: Site, modules: Iterable[Module], lives: Mapping[str, Live]
) -> Iterator[PlannedStage]:
    """Yield what a run asks of all modules before its first stage: their site's values, and whose clusters live."""
    for module in modules:
        try:
            module.require(site)
            require_same(module, lives[module.name], site)
            module.foreign(lives[module.name])
        except RefusedError as refused:
            yield _refused(module, refused)


def _frozen(
    module: Module, live: Live, freeze: Freeze, before: Iterable[PlannedStage]
) -> Iterator[PlannedStage]:
    """Yield that the module is frozen and its cluster deployed.

    What cannot be read now, and is on a host that an earlier stage changes, may prove virgin by then.
    """
    changed = {work.host for stage in before for work in stage.work}
    later = {change.host for change in live.changes() if change.action is Action.LATER}
    refusal = freeze.refusal(module, live)
    if refusal is not None and not later & changed:
        yield _refused(module, refusal)


def _refused(module: Module, refused: RefusedError) -> PlannedStage:
    where = f"{refused.where}: " if refused.where not in ("", module.name) else ""
    way_out = f" → {refused.hint}" if refused.hint else ""
    return PlannedStage(module.name, "refused", (), refused=f"{where}{refused.what}{way_out}")


def _reached(stages: Iterable[PlannedStage]) -> Iterator[PlannedStage]:
    """Yield the stages; those behind the first that is refused are not reached."""
    reached = True
    for stage in stages:
        yield replace(stage, reached=reached)
        reached = reached and not stage.refused


def _stages(
    module: Module,
    live: Live,
    key: DigestKey,
    later: tuple[Live, ...],
    put_off: dict[str, Stage],
) -> Iterator[Stage | PlannedStage]:
    """Yield the stages of one module, and at last what is left where they cannot be foretold any further.

    What waits for a step of a later module is noted in `put_off`.
    """
    done: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    while len(done) < _MOST:
        try:
            stage = module.next_stage(live)
        except RefusedError as refused:
            if any(change.action is Action.LATER for change in live.changes()):
                break  # what cannot be read yet may be as it should
            yield _refused(module, refused)
            return
        except Exception:  # what cannot be judged now is foretold no further
            break
        if stage is None or not stage.changes:
            break
        if taken_by(stage, later):
            put_off |= dict.fromkeys(stage.hosts, stage)
            live = without(live, stage.hosts)
            continue
        mark = (stage.name, tuple((change.host, change.identity) for change in stage.changes))
        if mark in done:
            break
        done.add(mark)
        yield stage
        live = _after(live, stage, key)
    if left := tuple(live.changes()):
        yield Stage(_LEFT, left)


def _after(live: Live, stage: Stage, key: DigestKey) -> Live:
    """Return the cluster as it would be after a stage: its resources are as described, and readings as they were."""
    hosts = {
        name: _changed(view, stage.of(name), key) if name in stage.hosts else view
        for name, view in live.hosts.items()
    }
    return replace(live, hosts=hosts)


def _changed(view: HostView, changes: tuple[Change, ...], key: DigestKey) -> HostView:
    made = {change.identity: change.resource for change in changes}
    known = {resource.identity for resource in view.resources}
    states = {
        identity: State(identity, True, dict(resource.wanted(key)))
        for identity, resource in made.items()
        if identity in known
    }
    left = tuple(change for change in view.changes if change.identity not in made)
    return replace(view, states={**view.states, **states}, changes=left)


def _releases(
    module: Module,
    stage: Stage,
    site: Site,
    modules: tuple[Module, ...],
    lives: Mapping[str, Live],
) -> Iterator[tuple[Module, Stage]]:
    """Yield what other clusters hand over before the stage interrupts their members."""
    for other in carried_by(stage, modules, site):
        for host in sorted(disrupted(stage)):
            own = other.name == module.name and not is_joined(module.name, stage)
            if own or host not in lives[other.name].hosts:
                continue
            try:
                handing = other.release(lives[other.name], host)
            except Exception:  # what cannot be judged now is foretold no further
                continue
            if handing is not None:
                yield other, handing


def _hand_over(roles: dict[str, str], stage: Stage) -> None:
    """Change the roles to what they are after a stage: who led is what its heirs were, and the only heir leads."""
    if not stage.heirs:
        return
    before = roles.get(stage.heirs[0], "")
    for host in stage.hosts:
        led, roles[host] = roles.get(host, ""), before
        if len(stage.heirs) == 1:
            roles[stage.heirs[0]] = led


def _planned(module: str, stage: Stage, roles: Mapping[str, Mapping[str, str]]) -> PlannedStage:
    return PlannedStage(
        module,
        stage.name,
        tuple(_work(module, host, stage.of(host), roles) for host in stage.hosts),
        heirs=stage.heirs,
    )


def _work(
    module: str,
    host: str,
    changes: tuple[Change, ...],
    roles: Mapping[str, Mapping[str, str]],
) -> StageWork:
    interrupts = tuple(change.identity for change in changes if change.disrupts)
    own = roles.get(module, {}).get(host)
    others = [
        f"{name} {members[host]}"
        for name, members in roles.items()
        if name != module and host in members and interrupts
    ]
    # A container of one module interrupts no other; Docker, and the host itself, interrupt them all.
    return StageWork(host, (own,) if own else tuple(others), len(changes), interrupts)


def _roles(modules: Iterable[Module], lives: Mapping[str, Live]) -> dict[str, dict[str, str]]:
    """Return by module what each host is in its cluster now."""
    found = ((module.name, topology_of(module, lives[module.name])) for module in modules)
    return {
        name: {member.host: member.role for member in topology.members}
        for name, topology in found
        if topology is not None
    }

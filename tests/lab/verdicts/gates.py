"""What restarts, drills and runs would do now: the gates of the product over one reading of a lab, and nothing more.

A gate has no time here: what it waits for is a refusal, and whether waiting could change it is told beside it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from keybuzz.cli.support.context import workspace
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.proof import lasting, require_healthy
from keybuzz.engine.drill.ground import not_green
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.look.survey import Survey, describe_scope, survey
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.journal import Marks
from keybuzz.engine.roll import restart
from keybuzz.engine.roll.next_member import KINDS
from keybuzz.engine.roll.rolling import roll
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.site.module import Module
from tests.lab.conftest import Kbz
from tests.support import warm

_NOW = 0.0


@dataclass(frozen=True)
class Verdict:
    """What is answered, and why; `why` is empty where it goes on."""

    word: str
    why: str = ""


GOES_ON = Verdict("goes on")


@dataclass(frozen=True)
class Gates:
    """What one module would do, with some findings in force."""

    restart: Verdict
    drill: Verdict
    run: Verdict


class _AllowedError(Exception):
    """Every gate has held, and something would be changed now."""


class _Dry(Conductor):
    """Waits for nothing, asks nothing again, and changes nothing."""

    def taken_back(self, snapshot: Snapshot) -> Snapshot:
        return snapshot

    def _lead_away(self, stage: Stage) -> None:
        if stage.changes:
            raise _AllowedError(stage.name)

    def _apply(self, module: Module, stage: Stage, snapshot: Snapshot) -> None:
        raise _AllowedError(stage.name)

    def _wait(self, module: Module, gate: Gate, snapshot: Snapshot) -> Snapshot:
        return super()._wait(module, replace(gate, timeout=_NOW), snapshot)


def asked(kbz: Kbz, questions: Mapping[str, tuple[str, str, str]], limit: str) -> dict[str, Gates]:
    """Return, by name, what each module would do with the findings of one check in force, and no other.

    Args:
        kbz: The lab's command line.
        questions: By a name, a module, a check and a host: what follows from it counts too. `*` is every check, and
            no host is every one.
        limit: Which servers there are.
    """
    words = (str(kbz.config), json.dumps(questions), limit)
    code, said, problem = warm.run(_main, words, 300)
    assert code == 0, problem
    return {
        name: Gates(*(Verdict(**answer[verb]) for verb in ("restart", "drill", "run")))
        for name, answer in json.loads(said).items()
    }


def _main() -> None:
    config, questions, limit = sys.argv[1:]
    with (
        click.Context(click.Command("gates"), obj=config),
        workspace(Access.LOOK, quiet=True) as work,
    ):
        every = all_modules()
        selected = work.present(work.select(every, (limit,)))
        wishing = tuple(restart.marked(module, _marks(work, module)) for module in every)
        found = _as_marked(survey(work, wishing, selected))
        asks: dict[str, tuple[str, str, str]] = json.loads(questions)
        wishes = {
            module.name: _described(
                work, restart.marked(module, _marks(work, module, found)), found
            )
            for module in found.modules
            if module.name in {own for own, _, _ in asks.values()}
        }
        answers = {name: _gates(work, found, wishes[ask[0]], *ask) for name, ask in asks.items()}
    print(json.dumps(answers))


def _marks(work: Workspace, module: Module, found: Survey | None = None) -> Marks:
    """Return what `kbz restart` marks of each member: which start of it runs; nothing before anything was read."""
    marks: dict[str, dict[str, str]] = {}
    for server in work.site.members(module.group):
        for wish in restart._wishes(module.describe(work.site, server)):
            started = _state(found, server.name, wish.identity).attributes.get("started", "")
            marks.setdefault(server.name, {})[wish.identity] = str(started)
    return marks


def _state(found: Survey | None, host: str, identity: str) -> State:
    read = found.snapshot.observations.get(host) if found else None
    return read.states[identity] if read else State(identity, present=False)


def _as_marked(found: Survey) -> Survey:
    """Return a reading without marks as one that was asked with its own: nothing was restarted since."""
    seen = {
        host: replace(read, states={name: _not_yet(state) for name, state in read.states.items()})
        for host, read in found.snapshot.observations.items()
    }
    return replace(found, snapshot=replace(found.snapshot, observations=seen))


def _not_yet(state: State) -> State:
    if "restarted" not in state.attributes:
        return state
    return replace(state, attributes={**state.attributes, "restarted": False})


def _gates(
    work: Workspace, found: Survey, wishing: Survey, name: str, check: str, host: str
) -> dict[str, Any]:
    modules = tuple(_only(module, check, host, found) for module in found.modules)
    own = next(module for module in modules if module.name == name)
    live = _conductor(work, modules, found).view(found.snapshot).live(own, work.site)
    return {
        "restart": vars(_restart(work, modules, own, wishing)),
        "drill": vars(_drill(own, live)),
        "run": vars(_refused(lambda: require_healthy(own, live), "stops")),
    }


def _only(module: Module, check: str, host: str, found: Survey) -> Module:
    """Return the module whose checks say only what this one says of the host, or what follows from it."""
    if check == "*":
        return module
    mine = {
        (finding.check, finding.host)
        for finding in explained(found.findings, found.modules)
        if check
        and check in (finding.check, finding.cause)
        and (not host or finding.host in (host, "") or finding.cause == check)
    }

    def some(live: Live) -> tuple[Finding, ...]:
        return tuple(
            finding
            for finding in module.checks(live)
            if finding.level is Level.OK or (finding.check, finding.host) in mine
        )

    return replace(module, checks=some)


def _conductor(work: Workspace, modules: tuple[Module, ...], found: Survey) -> _Dry:
    return _Dry(
        work.nornir,
        work.site,
        modules,
        modules,
        found.descriptions,
        found.selected,
        lambda event: None,
        time.monotonic() + 600,
        threading.Event(),
        Freeze(frozenset(), NO_LIFT, first_installs(work)),
    )


def _restart(work: Workspace, modules: tuple[Module, ...], own: Module, found: Survey) -> Verdict:
    """Take `kbz restart MODULE` as far as its first change, in a survey of what it wishes."""
    members = {server.name for server in work.site.members(own.group)}
    request = restart.RestartRequest(own, frozenset(members) & found.selected)
    wishing = restart.marked(own, _marks(work, own, found))
    conductor = _conductor(work, modules, found)
    live = conductor.view(found.snapshot).live(own, work.site)

    def act() -> None:
        _require_running(request, found)
        roll(conductor, wishing, (restart.marked(own, {}),), found.snapshot)

    certain = lasting(own, live) is not None
    return _refused(act, "refuses at once" if certain else "refuses")


def _described(work: Workspace, module: Module, found: Survey) -> Survey:
    """Return the survey with what one module describes instead."""
    own = describe_scope(work, (module,), found.selected)
    described = {
        host: replace(every, modules={**every.modules, **own[host].modules})
        if host in own
        else every
        for host, every in found.descriptions.items()
    }
    return replace(found, descriptions=described)


def _require_running(request: restart.RestartRequest, found: Survey) -> None:
    """Ask as `kbz restart` does first, of the reading that is here."""
    for host in sorted(request.selected):
        if host in found.snapshot.unreachable:
            raise RefusedError(found.snapshot.unreachable[host], where=host)
        states = found.snapshot.observations[host].states
        described = found.descriptions[host].modules[request.module.name].resources
        for wish in (item for item in described if isinstance(item, KINDS)):
            state = states[wish.identity]
            if state.problem or not state.attributes.get("running"):
                raise RefusedError(state.problem or f"{wish.name} does not run", where=host)


def _drill(own: Module, live: Live) -> Verdict:
    if not own.drills:
        return Verdict("—")
    why = not_green(own, live)
    return Verdict("refuses", why) if why else GOES_ON


def _refused(act: Callable[[], object], word: str) -> Verdict:
    try:
        act()
    except _AllowedError:
        return GOES_ON
    except RefusedError as error:
        return Verdict("refuses at once" if word.startswith("refuses") else word, str(error))
    except KbzError as error:
        return Verdict(word, str(error))
    return GOES_ON

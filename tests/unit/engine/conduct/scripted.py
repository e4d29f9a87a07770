"""The real conductor over hosts that are scripted: they hold states, obey changes, and time passes when it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine import events
from keybuzz.engine.change import taker
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.steps import StepResult, apply
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import Observation, Snapshot, observe, probe
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.engine.pace.pace import Pace
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.finding import CheckInfo, Finding
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import State
from keybuzz.model.core.resource import Attributes
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import memory_nornir, memory_site

HOSTS = ("redis-01", "redis-02", "redis-03")
"""A closed group."""
FIRST, SECOND, THIRD = HOSTS
START = 1000.0
PLAIN = Pace()


@lru_cache(maxsize=1)
def real_nornir() -> Any:
    """Return the product's Nornir, which describes and asks no registry."""
    return memory_nornir(memory_site())


class Restarting(File):
    """A file whose change stops what runs on its host for a moment."""

    def disrupts(self, observed: Attributes) -> bool:
        return True


def one_by_one(live: Live) -> Stage | None:
    """A roll over the hosts, in their order."""
    for host, view in live.hosts.items():
        if view.changes:
            return Stage(f"bring {host}", view.changes)
    return None


def all_at_once(live: Live) -> Stage | None:
    """One stage for all hosts."""
    changes = tuple(live.changes())
    return Stage("bring all", changes) if changes else None


def module(
    name: str = "demo",
    next_stage: Callable[[Live], Stage | None] = one_by_one,
    *,
    restarts: bool = False,
    checks: Callable[[Live], tuple[Finding, ...]] = lambda live: (),
    lasting: bool = False,
    **more: Any,
) -> Module:
    """Return a module with one file on each host, named as the module is."""
    kind = Restarting if restarts else File

    def describe(site: Site, server: Server) -> Description:
        return Description((kind(f"/{name}", Content.plain("new\n")),))

    found = Module(
        name=name,
        number=1,
        title="For tests",
        group="redis",
        requires=(),
        describe=describe,
        next_stage=next_stage,
        checks=checks,
        check_infos=(CheckInfo(f"{name}.well", "t", "m", "n", lasting=lasting),),
    )
    return replace(found, **more)


def up(*down: str) -> Callable[[Live], frozenset[str]]:
    """Return who is up: all that can be read, but some."""
    return lambda live: frozenset(live.hosts) - set(down)


class Clock(threading.Event):
    """The run's stop event: to wait for it lets time pass, and something happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.waits: list[float] = []
        self.then: Callable[[], object] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert len(self.waits) < 100, "it waits for ever"
        self.waits.append(timeout)
        self.now += timeout
        self.then()
        return self.is_set()


@dataclass
class Hosts:
    """Three hosts, and all that was asked of them and done there, in order."""

    states: dict[str, dict[str, State]] = field(default_factory=lambda: {h: {} for h in HOSTS})
    away: set[str] = field(default_factory=set)
    fails: dict[str, Outcome | Exception] = field(default_factory=dict)
    """How a change ends on a host, when not well."""
    looks: list[tuple[str, ...]] = field(default_factory=list)
    """The modules that each look asked about."""
    deeds: list[tuple[str, str]] = field(default_factory=list)
    lost: frozenset[str] = frozenset()
    """Hosts that take their first change well, and are silent from then on."""
    timeouts: list[float] = field(default_factory=list)
    rounds: list[tuple[str, ...]] = field(default_factory=list)
    """The hosts that were changed at once, each time."""
    lose_changes: bool = False
    """A change has no effect, though the host says that it has."""

    def run(self, names: list[str], task: Callable[..., Any], words: dict[str, Any]) -> Any:
        if task is probe:
            known = words["descriptions"]
            self.looks.append(tuple(sorted({m for h in names for m in known[h].modules})))
            return {name: [self._seen(name, known[name])] for name in names}
        assert task is apply
        self.timeouts.append(words["timeout"])
        self.rounds.append(tuple(sorted(names)))
        return {name: [self._applied(name, words["changes"][name])] for name in names}

    def _seen(self, name: str, known: Any) -> Any:
        if name in self.away:
            return SimpleNamespace(exception=ContactError("no route"), result=None)
        resources = [r for found in known.modules.values() for r in found.resources]
        states = {
            r.identity: self.states[name].get(r.identity, State(r.identity, False))
            for r in resources
        }
        return SimpleNamespace(exception=None, result=Observation(states, {}))

    def _applied(self, name: str, changes: Any) -> Any:
        self.deeds += [(name, change.identity) for change in changes]
        ends = self.fails.get(name, Outcome.CHANGED)
        if isinstance(ends, Exception):
            return SimpleNamespace(exception=ends, result=None)
        if ends is Outcome.CHANGED and not self.lose_changes:
            known = {c.identity: State(c.identity, False) for c in changes}
            self.states[name] = applied({**known, **self.states[name]}, changes)
        self.away |= self.lost & {name}
        results = tuple(StepResult(change, ends, "said so", "look there") for change in changes)
        return SimpleNamespace(exception=None, result=results)

    def old(self, path: str, *hosts: str) -> None:
        """Put another file there than the described one."""
        for host in hosts or HOSTS:
            self.states[host][f"file:{path}"] = State(f"file:{path}", True, {"digest": "old"})

    def right(self, path: str, host: str) -> None:
        """Put the described file there, as by hand."""
        file = File(path, Content.plain("new\n"))
        wanted = file.wanted(memory_site().digest_key)
        self.states[host][file.identity] = State(file.identity, True, dict(wanted))


@dataclass
class Nornir:
    """Runs the tasks of a run on scripted hosts."""

    hosts: Hosts
    names: list[str] = field(default_factory=lambda: list(HOSTS))
    resets: list[int] = field(default_factory=list)

    @property
    def data(self) -> Any:
        return SimpleNamespace(reset_failed_hosts=lambda: self.resets.append(1))

    def filter(self, filter_func: Callable[[Any], bool]) -> Nornir:
        names = [name for name in self.names if filter_func(SimpleNamespace(name=name))]
        return Nornir(self.hosts, names, self.resets)

    def run(self, task: Callable[..., Any], on_failed: bool = False, **words: Any) -> Any:
        del on_failed
        if task in (probe, apply):
            return self.hosts.run(self.names, task, words)
        chosen = real_nornir().filter(filter_func=lambda host: host.name in self.names)
        return chosen.run(task=task, **words)


@dataclass
class Play:
    """One run over scripted hosts."""

    conductor: Conductor
    hosts: Hosts
    clock: Clock
    heard: list[events.Event]

    def run(self) -> Snapshot:
        """Bring the whole chain to its description, from a first look."""
        return self.conductor.run(self.look())

    def look(self) -> Snapshot:
        conductor = self.conductor
        return observe(conductor.nornir, conductor.descriptions)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    @property
    def stages(self) -> list[str]:
        return [event.name for event in self.of(events.StageStarted)]

    def live(self, found: Module) -> Live:
        return self.conductor.view(self.look()).live(found, self.conductor.site)


Make = Callable[..., Play]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a run of modules over scripted hosts, where every module has its old file."""
    tmp_path.chmod(0o700)
    clock = Clock()
    monkeypatch.setattr(taker, "time", SimpleNamespace(monotonic=lambda: clock.now))
    site = memory_site()
    site = replace(site, settings=replace(site.settings, state=tmp_path))

    def make(
        *chain: Module,
        every: tuple[Module, ...] = (),
        selected: tuple[str, ...] = HOSTS,
        frozen: frozenset[str] = frozenset(),
        seconds: float = 3600.0,
        fleet: tuple[str, ...] = HOSTS,
        pace: Pace = PLAIN,
        **more: Any,
    ) -> Play:
        clock.waits.clear()
        hosts = Hosts({name: {} for name in fleet})
        heard = list[events.Event]()
        for found in (*chain, *every):
            hosts.old(f"/{found.name}", *fleet)
        chosen = real_nornir().filter(filter_func=lambda host: host.name in fleet)
        descriptions: Mapping[str, Any] = describe_all(chosen, chain)
        nornir: Any = Nornir(hosts, list(fleet))
        conductor = Conductor(
            nornir,
            replace(site, **more),
            chain,
            (*chain, *every),
            descriptions,
            frozenset(selected),
            heard.append,
            clock.now + seconds,
            clock,
            Freeze(frozen, NO_LIFT, FirstInstalls(tmp_path / "first-installs")),
            pace=pace,
        )
        return Play(conductor, hosts, clock, heard)

    return make

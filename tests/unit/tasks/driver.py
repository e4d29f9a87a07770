"""Drives a module's rollout through the real conductor, over a small world in the place of its hosts.

A world answers as hosts do and obeys changes; time passes when the conductor waits. Nothing of how a run goes on is
told here again: guards, gates, the order of both, and the end are those of `kbz run`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

import pytest

from keybuzz.engine.change import taker
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.change.steps import StepResult, apply
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Snapshot, observe, probe
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import ContactError, RefusedError, StepError, StoppedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_LONG = 100.0
"""Seconds that pass with each wait: a gate that does not hold ends after a few."""


@dataclass(frozen=True, slots=True)
class End:
    """How a roll ended: `done`, `refused`, `gate` when one did not hold, `left` or `cut`."""

    word: str
    why: str = ""


class World(Protocol):
    """Hosts of one module, and what their service does by itself."""

    trail: list[Stage]

    def snapshot(self) -> Snapshot:
        """Return what the hosts say now."""

    def apply(self, stage: Stage) -> None:
        """Do what the changes of a stage say."""

    def wait(self) -> None:
        """Let what is on its way arrive."""


class _Clock(threading.Event):
    """The run's stop event: a wait lets time pass in the world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        self.now += _LONG
        self._world.wait()
        return self.is_set()


@dataclass
class _Rollout:
    """The module's own choice of stages, watched."""

    module: Module
    world: World
    check: Callable[[Stage], None]
    stop: Callable[[int], None]
    """Is told how many stages have begun."""
    begun: int = 0
    now: Stage | None = None
    parts: list[Change] = field(default_factory=list)
    broken: list[AssertionError] = field(default_factory=list)
    """What must never be: raised when the run has ended, because a run survives what cannot be judged."""

    def next_stage(self, live: Live) -> Stage | None:
        """Return the module's next stage; a stage that only waits counts when its gate is asked."""
        with self._watched():
            stage = self.module.next_stage(live)
        self.now, self.parts = stage, []
        self.stop(self.begun)
        if stage is None or stage.changes or stage.after is None:
            return stage
        return replace(stage, after=self._begun(stage, stage.after))

    def _begun(self, stage: Stage, after: Gate) -> Gate:
        begun: list[Stage] = []

        def reason(live: Live) -> str | None:
            if not begun:
                begun.append(stage)
                self.taken(stage)
                return f"{stage.name} has begun"
            with self._watched():
                return after.reason(live)

        return replace(after, reason=reason)

    def change(self, changes: Mapping[str, tuple[Change, ...]]) -> None:
        """Make these changes of the stage at work: all of it, or those of some of its hosts."""
        assert self.now is not None
        part = tuple(change for change in self.now.changes if change.host in changes)
        self.parts += part
        self.taken(self.now if part == self.now.changes else replace(self.now, changes=part))
        if part != self.now.changes and len(self.parts) == len(self.now.changes):
            while self.world.trail and self.world.trail[-1].name == self.now.name:
                self.world.trail.pop()
            self.world.trail.append(self.now)

    def taken(self, stage: Stage) -> None:
        """Let the world obey."""
        self.begun += not self.parts or len(self.parts) == len(stage.changes)
        with self._watched():
            self.check(stage)
            self.world.apply(stage)

    @contextmanager
    def _watched(self) -> Any:
        try:
            yield
        except AssertionError as error:
            self.broken.append(error)
            raise


@dataclass(frozen=True, slots=True)
class _Nornir:
    """Runs the two tasks of a run on the hosts of a world."""

    rollout: _Rollout
    names: tuple[str, ...]
    data: Any = field(default_factory=lambda: SimpleNamespace(reset_failed_hosts=lambda: None))

    def filter(self, filter_func: Callable[[Any], bool]) -> _Nornir:
        names = tuple(n for n in self.names if filter_func(SimpleNamespace(name=n)))
        return _Nornir(self.rollout, names)

    def run(self, task: Any, on_failed: bool = False, **words: Any) -> dict[str, list[Any]]:
        del on_failed
        if task is apply:
            changes: Mapping[str, tuple[Change, ...]] = words["changes"]
            self.rollout.change(changes)
            return {
                host: [_said(tuple(StepResult(c, Outcome.CHANGED) for c in mine))]
                for host, mine in changes.items()
            }
        assert task is probe
        seen = self.rollout.world.snapshot()
        return {
            name: [
                _said(seen.observations[name])
                if name in seen.observations
                else SimpleNamespace(exception=ContactError(seen.unreachable[name]), result=None)
            ]
            for name in self.names
        }


def _said(result: Any) -> Any:
    return SimpleNamespace(exception=None, result=result)


def drive(
    world: World,
    module: Module,
    site: Site,
    known: Mapping[str, HostDescription],
    selected: Iterable[str],
    *,
    check: Callable[[Stage], None] = lambda stage: None,
    stages: int = 100,
) -> End:
    """Bring a module to its description as `kbz run` does, until nothing is left or something says no."""
    clock = _Clock(world)
    rollout = _Rollout(module, world, check, lambda begun: clock.set() if begun >= stages else None)
    nornir: Any = _Nornir(rollout, tuple(known))
    # Data of others on the hosts, and the building of images, are no part of a rollout.
    watched = replace(
        module,
        next_stage=rollout.next_stage,
        ground=None,
        require=lambda site: None,
        images=lambda site: (),
    )
    chain = (watched,)
    conductor = Conductor(
        nornir,
        site,
        chain,
        chain,
        known,
        frozenset(selected),
        lambda event: None,
        float("inf"),
        clock,
        Freeze(frozenset(), NO_LIFT, FirstInstalls(Path("/nowhere"))),
    )
    with patch.object(taker, "time", SimpleNamespace(monotonic=lambda: clock.now)):
        end = _ended(conductor)
    if rollout.broken:
        raise rollout.broken[0]
    return end


def _ended(conductor: Conductor) -> End:
    try:
        conductor.run(observe(conductor.nornir, conductor.descriptions))
    except RefusedError as error:
        return End("refused", str(error))
    except StoppedError as error:
        return End("cut", error.what)
    except StepError as error:
        if "was applied and the hosts still differ" in error.what:
            pytest.fail(error.what)
        return End("gate" if error.what.startswith("gate “") else "left", str(error))
    return End("done")

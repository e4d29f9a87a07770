"""What one module puts off is made in the step of a later one there, and by itself where that step does not come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine import events
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from tests.unit.engine.conduct.scripted import (
    FIRST,
    HOSTS,
    SECOND,
    THIRD,
    Make,
    Play,
    module,
    one_by_one,
    play,
)

__all__ = ["play"]


def patient(live: Live) -> Stage | None:
    """A roll whose stages may wait for those of a later module."""
    stage = one_by_one(live)
    return replace(stage, joins=True) if stage else None


def chain(play: Make) -> Play:
    return play(module("engine", patient, restarts=True), module("demo", restarts=True))


def test_each_host_is_interrupted_once(play: Make) -> None:
    found = chain(play)
    found.run()
    assert found.stages == [f"bring {host}, then bring {host}" for host in HOSTS]
    assert found.hosts.deeds == [(h, f"file:/{name}") for h in HOSTS for name in ("engine", "demo")]
    assert [(e.module, e.reason) for e in found.of(events.Postponed)] == [
        ("engine", f"bring {host} comes with the step of demo there") for host in HOSTS
    ]


def test_what_was_made_waits_no_more_when_a_later_step_fails(play: Make) -> None:
    found = chain(play)
    found.hosts.fails[SECOND] = Outcome.FAILED
    error = found.conductor.ending(lambda: found.conductor.run(found.look()))
    assert isinstance(error, StepError)
    assert found.conductor.waiting.keys() == {THIRD}
    assert f"not done, and still needed: bring {THIRD}; kbz run engine" in error.hint


def test_where_the_later_step_does_not_come_it_is_made_at_the_end(play: Make) -> None:
    """The later module's own change was made by hand after the first one was put off."""

    def told(event: events.Event) -> None:
        found.heard.append(event)
        if isinstance(event, events.StageStarted) and event.hosts == (FIRST,):
            found.hosts.right("/demo", THIRD)

    found = chain(play)
    found.conductor.listen = told
    found.run()
    assert found.stages[-1] == f"bring {THIRD}"
    assert found.hosts.deeds[-1] == (THIRD, "file:/engine")


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_without_a_later_step_is_not_put_off(play: Make, host: str) -> None:
    found = chain(play)
    found.hosts.right("/demo", host)
    found.run()
    assert found.stages[0] == f"bring {host}"
    assert len(found.stages) == 3

"""What a run begins no more: after a stop, a failure, a refusal, and beside a canary."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.guard import QuorumError
from keybuzz.engine.pace.pace import Pace, Share
from keybuzz.model.core.errors import RefusedError, StepError, StoppedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import Outcome
from tests.unit.engine.conduct.paced import FIRST as CANARY
from tests.unit.engine.conduct.paced import FLEET, Dangerous, on_fleet
from tests.unit.engine.conduct.scripted import (
    FIRST,
    HOSTS,
    SECOND,
    Make,
    Play,
    all_at_once,
    module,
    one_by_one,
    play,
    up,
)

__all__ = ["play"]


def stopping_at_a_stage(found: Play, *, cut: bool = False) -> Play:
    """Let a signal come when the first stage has been told."""

    def listen(event: events.Event) -> None:
        found.heard.append(event)
        if isinstance(event, events.StageStarted):
            found.clock.set()
            if cut:
                found.conductor.cut_off.set()

    found.conductor.listen = listen
    return found


class TestPartsOfAStage:
    def test_a_stop_lets_the_part_that_was_told_be_made_and_begins_no_other(
        self, play: Make
    ) -> None:
        """What may lock kbz out goes to one host first: the others are another part."""
        dangerous = on_fleet("a", Dangerous)
        found = stopping_at_a_stage(play(dangerous, selected=FLEET, fleet=FLEET))
        with pytest.raises(StoppedError, match="stopped on request"):
            found.run()
        assert found.hosts.rounds == [(CANARY,)]

    def test_after_a_second_signal_no_part_is_begun(self, play: Make) -> None:
        found = stopping_at_a_stage(play(module(next_stage=all_at_once)), cut=True)
        with pytest.raises(StoppedError, match="stopped on request"):
            found.run()
        assert (found.stages, found.hosts.rounds) == (["bring all"], [])

    def test_a_stop_before_the_second_batch_tells_of_no_pause(self, play: Make) -> None:
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=Pace(Share(12), CANARY, 9.0))
        last = "file:/a-two"

        def listen(event: events.Event) -> None:
            found.heard.append(event)
            if isinstance(event, events.StageEnded) and found.hosts.deeds[-1] == (CANARY, last):
                found.clock.set()

        found.conductor.listen = listen
        with pytest.raises(StoppedError):
            found.run()
        assert (found.of(events.BatchEnded), found.clock.waits) == ([], [])
        assert {host for host, _ in found.hosts.deeds} == {CANARY}

    def test_after_a_stop_during_the_pause_nothing_is_asked(self, play: Make) -> None:
        asked: list[str] = []
        pace = Pace(canary=CANARY, pause=9.0, agree=asked.append)
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=pace)
        found.clock.then = found.clock.set
        with pytest.raises(StoppedError):
            found.run()
        assert (found.clock.waits, asked) == ([9.0], [])


class TestFailed:
    def failing(self, play: Make, *, frozen: bool = False) -> Play:
        """One host alone may fail, and does; the gate of each stage asks for its own host."""

        def gated(live: Live) -> Stage | None:
            stage = one_by_one(live)
            if stage is None:
                return None
            [host] = stage.hosts

            def reason(now: Live) -> str | None:
                return f"{host} is not well" if now.hosts[host].changes else None

            return replace(stage, after=Gate(f"{host} is well", reason, 5.0))

        groups = frozenset({"redis"}) if frozen else frozenset[str]()
        found = play(
            *(module(name, gated, virgin=lambda live: True) for name in ("a", "b", "c")),
            pace=Pace(max_fail=Share(1)),
            frozen=groups,
        )
        found.hosts.fails[SECOND] = Outcome.FAILED
        return found

    def test_the_gate_of_a_stage_of_which_every_host_has_failed_is_not_waited_for(
        self, play: Make
    ) -> None:
        found = self.failing(play)
        with pytest.raises(StepError, match="1 of 3 hosts failed and were left out"):
            found.run()
        assert found.of(events.GateWaiting) == []
        assert found.stages.count(f"bring {SECOND}") == 1

    def test_the_command_for_those_that_failed_goes_over_the_whole_chain(self, play: Make) -> None:
        found = self.failing(play)
        with pytest.raises(StepError) as caught:
            found.run()
        assert caught.value.hint == "kbz run c --limit @failed tries them again"

    def test_a_first_install_of_which_a_host_has_failed_has_not_ended(self, play: Make) -> None:
        found = self.failing(play, frozen=True)
        with pytest.raises(StepError):
            found.run()
        installs = found.conductor.freeze.installs
        assert installs.of("a", HOSTS).counts, "the next run may finish it"


class TestRefusedBeforeTheFirst:
    def test_what_the_quorum_forbids_waits_for_no_gate(self, play: Make) -> None:
        asked: list[str] = []

        def gated(live: Live) -> Stage | None:
            def reason(now: Live) -> str | None:
                asked.append("before")
                return None

            return Stage("bring", tuple(live.changes()), Gate("before", reason, 60.0))

        members = module("cluster", members_up=up(), next_stage=lambda live: None)
        found = play(module("engine", gated, restarts=True), every=(members,))
        with pytest.raises(QuorumError):
            found.run()
        assert asked == []

    def test_what_is_refused_for_another_host_begins_no_canary(self, play: Make) -> None:
        def foreign(live: Live) -> Stage | None:
            if any(change.host == SECOND for change in live.changes()):
                raise RefusedError("data of another cluster", where=SECOND)
            return one_by_one(live)

        found = play(module(next_stage=foreign), pace=Pace(canary=FIRST))
        with pytest.raises(RefusedError, match="data of another cluster"):
            found.run()
        assert found.hosts.deeds == []

    def test_a_canary_of_a_cluster_that_stopped_meanwhile_is_not_begun(self, play: Make) -> None:
        """The first module of the chain took a while: what served before it serves no more."""

        def serving(live: Live) -> frozenset[str]:
            return frozenset() if found.hosts.deeds else frozenset(HOSTS)

        found = play(module("a"), module("b", members_up=serving), pace=Pace(canary=FIRST))
        with pytest.raises(RefusedError, match="cannot start alone: no member of b serves now"):
            found.run()
        assert {identity for _, identity in found.hosts.deeds} == {"file:/a"}


def test_a_look_after_a_question_is_the_newest_reading(play: Make) -> None:
    found = play(module())
    found.hosts.away.add(FIRST)
    last = found.conductor.again()
    assert set(last.unreachable) == {FIRST}
    assert found.conductor.last is last


def test_a_run_that_takes_all_at_once_rests_between_no_two_of_them(play: Make) -> None:
    found = play(module())
    first = found.look()
    assert found.conductor.rested("demo", frozenset({FIRST}), (SECOND,), first) is first
    assert (found.of(events.BatchEnded), found.clock.waits) == ([], [])

"""The conductor: which module and which stage comes next, what is refused before it, and what ends a run."""

from __future__ import annotations

from typing import Any

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.guard import QuorumError
from keybuzz.engine.change.steps import STEP_TIMEOUT, StepResult
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.files import Absent
from tests.unit.engine.conduct.scripted import (
    FIRST,
    HOSTS,
    SECOND,
    THIRD,
    Make,
    Play,
    all_at_once,
    module,
    one_by_one,
    play,
    up,
)

__all__ = ["play"]


def refused(found: Play, kind: type[KbzError] = RefusedError) -> KbzError:
    with pytest.raises(kind) as caught:
        found.run()
    return caught.value


def critical(live: Live) -> tuple[Finding, ...]:
    return (Finding("demo.well", Level.CRITICAL, "it is broken"),)


class TestChain:
    def test_modules_come_in_order_and_hosts_one_by_one(self, play: Make) -> None:
        found = play(module("a"), module("b"))
        found.run()
        assert found.hosts.deeds == [(h, f"file:/{name}") for name in "ab" for h in HOSTS]
        assert [(e.module, e.name, e.hosts, e.changes) for e in found.of(events.StageStarted)] == [
            (name, f"bring {host}", (host,), 1) for name in "ab" for host in HOSTS
        ]
        assert [(e.module, e.made, e.changes) for e in found.of(events.StageEnded)] == [
            (name, 1, 1) for name in "ab" for _ in HOSTS
        ]
        assert [result.outcome for result in found.conductor.results] == [Outcome.CHANGED] * 6
        assert found.conductor.last is not None
        assert found.conductor.at_work == {}
        nornir: Any = found.conductor.nornir
        assert nornir.resets, "a host that failed once is asked again"

    def test_it_returns_the_newest_reading(self, play: Make) -> None:
        found = play(module())
        last = found.run()
        assert last is found.conductor.last
        assert all(seen.states["file:/demo"].present for seen in last.observations.values())

    def test_a_module_without_a_selected_host_is_passed_over(self, play: Make) -> None:
        asked: list[str] = []
        other = module("other", require=lambda site: asked.append("other"), group="galera")
        found = play(module(), other)
        found.run()
        assert asked == []

    def test_each_is_asked_before_any_is_changed(self, play: Make) -> None:
        def refuses(site: object) -> None:
            raise RefusedError("values break it")

        def foreign(live: Live) -> None:
            raise RefusedError(f"{live.module} is another cluster")

        found = play(module("a"), module("b", require=refuses))
        assert refused(found).what == "values break it"
        assert found.hosts.deeds == []
        found = play(module("a"), module("b", foreign=foreign))
        assert refused(found).what == "b is another cluster"
        assert found.hosts.deeds == []

    def test_a_module_that_is_not_healthy_stops_those_that_require_it(self, play: Make) -> None:
        found = play(module("demo", checks=critical), module("b"))
        error = refused(found)
        assert "module demo is required first and is not healthy" in error.what
        assert {identity for _, identity in found.hosts.deeds} == {"file:/demo"}

    def test_the_last_one_is_not_required_by_any(self, play: Make) -> None:
        play(module("a"), module("demo", checks=critical)).run()

    def test_what_no_stage_takes_is_an_error(self, play: Make) -> None:
        error = refused(play(module(next_stage=lambda live: None)), StepError)
        assert "file:/demo is still not as described" in error.what


class TestPostponed:
    """A restart that a quorum forbids now waits until the later modules have brought their members back."""

    def chain(self, play: Make, *, mends: bool = True) -> Play:
        down = {FIRST}

        def members(live: Live) -> frozenset[str]:
            return frozenset(live.hosts) - down

        def brings(live: Live) -> Stage | None:
            found = one_by_one(live)
            if found is None and mends:
                down.clear()
            return found

        cluster = module("cluster", brings, members_up=members)
        return play(module("engine", restarts=True), module("between"), cluster)

    def test_the_others_go_first_and_then_it_is_tried_again(self, play: Make) -> None:
        found = self.chain(play)
        found.run()
        [told] = found.of(events.Postponed)
        assert told.module == "engine"
        assert "cluster would keep 1 of 3 members" in told.reason
        # The first member is down anyway: its restart takes nothing.
        engine = "file:/engine"
        assert [identity for _, identity in found.hosts.deeds] == [
            engine, *["file:/between"] * 3, *["file:/cluster"] * 3, engine, engine,
        ]  # fmt: skip

    def test_once(self, play: Make) -> None:
        found = self.chain(play, mends=False)
        error = refused(found, QuorumError)
        assert "cluster would keep 1 of 3 members" in error.what
        assert len(found.of(events.Postponed)) == 1

    def test_not_the_last_one(self, play: Make) -> None:
        cluster = module("demo", members_up=up(FIRST), restarts=True)
        found = play(module("a"), cluster)
        refused(found, QuorumError)
        assert found.of(events.Postponed) == []
        assert found.hosts.deeds[-1] == (FIRST, "file:/demo")

    def test_what_was_read_before_it_was_refused_is_known_to_those_that_follow(
        self, play: Make
    ) -> None:
        """The next module decides on the newest reading, not on the first look."""
        found = play(module("engine", restarts=True), module("cluster", members_up=up(FIRST)))

        def by_hand(event: events.Event) -> None:
            if isinstance(event, events.StageEnded) and event.module == "engine":
                found.hosts.right("/cluster", FIRST)

        found.conductor.listen = by_hand
        refused(found, QuorumError)
        assert [deed for deed in found.hosts.deeds if deed[1] == "file:/cluster"] == [
            (host, "file:/cluster") for host in (SECOND, THIRD)
        ]


class TestStages:
    def test_a_state_that_cannot_be_judged_is_told_with_its_module(self, play: Make) -> None:
        def breaks(live: Live) -> Stage | None:
            raise KeyError("lag")

        error = refused(play(module(next_stage=breaks)), StepError)
        assert error.what.startswith("the state of its hosts cannot be judged: ")
        assert "lag" in error.what
        assert (error.where, error.hint) == ("demo", "kbz health demo")

    def test_a_refusal_of_the_module_stays_its_own(self, play: Make) -> None:
        def refuses(live: Live) -> Stage | None:
            raise RefusedError("two clusters", where="here")

        error = refused(play(module(next_stage=refuses)))
        assert (error.what, error.where) == ("two clusters", "here")

    def test_a_change_that_does_not_last_is_told_and_not_made_for_ever(self, play: Make) -> None:
        found = play(module())
        found.hosts.lose_changes = True
        error = refused(found, StepError)
        assert "stage “bring redis-01” was applied and the hosts still differ" in error.what
        assert found.hosts.deeds == [(FIRST, "file:/demo")]

    def test_a_wait_may_come_again(self, play: Make) -> None:
        waits = iter([Stage("wait", ()), Stage("wait", ()), None])
        found = play(module(next_stage=lambda live: one_by_one(live) or next(waits)))
        found.run()
        assert next(waits, "over") == "over"

    def test_another_credential_is_refused_before_each_stage(
        self, play: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        found = play(module())
        for room in ("change.conduct", "adopt.ahead"):
            monkeypatch.setattr(
                f"keybuzz.engine.{room}.require_same",
                lambda module, live, site: asked.append(len(found.hosts.deeds)),
            )
        found.run()
        assert asked == [0, 0, 1, 2]

    def test_the_ground_is_proven_before_the_first_change_and_no_more(
        self, play: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proven: list[int] = []
        waits = iter([Stage("wait", ())])
        found = play(module(next_stage=lambda live: next(waits, None) or one_by_one(live)))
        monkeypatch.setattr(
            "keybuzz.engine.change.conduct.require_own_ground",
            lambda nornir, module, live: proven.append(len(found.hosts.deeds)),
        )
        found.run()
        assert proven == [0]

    def test_a_frozen_cluster_is_not_changed(self, play: Make) -> None:
        waits = iter([Stage("wait", ())])
        frozen = module(next_stage=lambda live: next(waits, None) or one_by_one(live))
        found = play(frozen, frozen=frozenset({"redis"}))
        assert "module demo is frozen (FRZ-1)" in refused(found).what
        assert found.hosts.deeds == []

    def test_a_first_install_is_marked_until_it_has_converged(self, play: Make) -> None:
        marks: list[bool] = []

        def marked(live: Live) -> Stage | None:
            marks.append(installing())
            return one_by_one(live)

        first_install = module(next_stage=marked, virgin=lambda live: True)
        found = play(first_install, frozen=frozenset({"redis"}))

        def installing() -> bool:
            kept: FirstInstalls = found.conductor.freeze.installs
            return kept.of("demo", HOSTS).counts

        found.run()
        assert marks == [False, True, True, True]
        assert not installing()


class TestApply:
    def test_all_hosts_of_a_stage_are_changed_at_once(self, play: Make) -> None:
        found = play(module(next_stage=all_at_once), selected=(FIRST, THIRD))
        found.run()
        assert found.hosts.deeds == [(FIRST, "file:/demo"), (THIRD, "file:/demo")]
        assert [(e.hosts, e.made, e.changes) for e in found.of(events.StageEnded)] == [
            ((FIRST, THIRD), 2, 2)
        ]

    @pytest.mark.parametrize(
        ("left", "given"), [(3600.0, STEP_TIMEOUT), (100.0, 100.0), (0.5, 1.0), (0.0, 1.0)]
    )
    def test_it_gets_what_is_left_of_the_runs_time(
        self, play: Make, left: float, given: float
    ) -> None:
        found = play(module(next_stage=all_at_once), seconds=left)
        found.run()
        assert found.hosts.timeouts == [given]

    def test_a_failed_change_ends_the_run_with_its_words(self, play: Make) -> None:
        found = play(module(next_stage=all_at_once))
        found.hosts.fails[SECOND] = Outcome.FAILED
        error = refused(found, StepError)
        assert (error.what, error.where, error.hint) == (
            "file:/demo: said so",
            SECOND,
            "look there",
        )
        assert [(e.made, e.changes) for e in found.of(events.StageEnded)] == [(2, 3)]
        assert [r.outcome for r in found.conductor.results] == [
            Outcome.CHANGED,
            Outcome.FAILED,
            Outcome.CHANGED,
        ]
        # What is there now is read again, for the report.
        assert found.conductor.last is not None
        assert (
            found.conductor.last.observations[FIRST].states["file:/demo"].attributes["digest"]
            != "old"
        )

    def test_what_was_brought_from_other_members_is_part_of_the_run(
        self, play: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = play(module(), selected=(FIRST,))
        brought = StepResult(
            Change(FIRST, "demo", Absent("/image"), Action.UPDATE), Outcome.CHANGED
        )
        monkeypatch.setattr("keybuzz.engine.change.taker.hand_over", lambda *words: iter([brought]))
        found.run()
        assert found.conductor.results[0] is brought
        assert len(found.conductor.results) == 2

    def test_of_several_that_failed_the_first_is_told(self, play: Make) -> None:
        found = play(module(next_stage=all_at_once))
        for host in (SECOND, THIRD):
            found.hosts.fails[host] = Outcome.FAILED
        assert refused(found, StepError).where == SECOND

    def test_a_change_that_is_found_made_is_good(self, play: Make) -> None:
        found = play(module())
        found.hosts.fails[FIRST] = Outcome.OK
        error = refused(found, StepError)
        assert "was applied and the hosts still differ" in error.what
        assert [(e.made, e.changes) for e in found.of(events.StageEnded)] == [(1, 1)]

    def test_an_unknown_error_is_that_hosts(self, play: Make) -> None:
        found = play(module(next_stage=all_at_once))
        found.hosts.fails[THIRD] = RuntimeError("out of memory")
        error = refused(found, StepError)
        assert error.where == THIRD
        assert "out of memory" in error.what
        assert found.conductor.results[-1].outcome is Outcome.UNKNOWN


class TestEnding:
    def test_a_good_end_is_none(self, play: Make) -> None:
        found = play(module())
        assert found.conductor.ending(lambda: None) is None
        assert found.conductor.results == []

    def test_what_was_handed_out_and_has_not_come_back_is_unknown(self, play: Make) -> None:
        found = play(module())
        difference = (Difference("there", True, False),)
        one, two = (
            Change(FIRST, "demo", Absent(path), Action.UPDATE, difference) for path in ("/a", "/b")
        )
        found.conductor.at_work = {FIRST: (one, two)}

        def cut() -> None:
            raise KeyboardInterrupt

        error = found.conductor.ending(cut)
        assert isinstance(error, StoppedError)
        assert error.hint == "kbz resume"
        [result] = found.conductor.results
        assert (result.change, result.outcome) == (one, Outcome.UNKNOWN)
        assert result.what == "it was cut off, and may have taken effect"

    def test_an_interrupt_inside_of_a_stage_names_its_hosts(
        self, play: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = play(module(next_stage=all_at_once))

        def cut(*_: object) -> object:
            raise KeyboardInterrupt

        first = found.look()
        monkeypatch.setattr(found.hosts, "_applied", cut)
        error = found.conductor.ending(lambda: found.conductor.run(first))
        assert isinstance(error, StoppedError)
        assert [(r.change.host, r.outcome) for r in found.conductor.results] == [
            (host, Outcome.UNKNOWN) for host in HOSTS
        ]


class TestStop:
    def test_a_stop_on_request_begins_no_stage(self, play: Make) -> None:
        found = play(module())
        found.clock.set()
        error = refused(found, StoppedError)
        assert (error.what, error.hint) == (
            "stopped on request",
            "kbz resume goes on from what is there now",
        )
        assert found.hosts.deeds == []

    def test_a_run_whose_time_is_over_begins_no_stage(self, play: Make) -> None:
        found = play(module(), seconds=-0.5)
        error = refused(found, StoppedError)
        assert (error.what, error.hint) == (
            "the time of this run is over",
            "kbz resume, or --timeout SECONDS",
        )
        assert found.hosts.deeds == []

    def test_the_last_moment_still_counts(self, play: Make) -> None:
        play(module(), seconds=0.0).run()


def test_a_gate_that_holds_is_told_and_costs_no_look(play: Make) -> None:
    gate = Gate("open", lambda live: None, 60.0)

    def gated(live: Live) -> Stage | None:
        found = one_by_one(live)
        return found and Stage(found.name, found.changes, gate, gate)

    found = play(module(next_stage=gated), selected=(FIRST,))
    found.run()
    assert [(e.name, e.seconds) for e in found.of(events.GateHeld)] == [("open", 0.0)] * 2
    assert found.clock.waits == []
    assert len(found.hosts.looks) == 2

"""How the conductor waits for a gate: what it reads, how often, what it tells, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from keybuzz.engine import events
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.site.module import Description, Module
from tests.unit.engine.conduct.scripted import FIRST, HOSTS, Make, Play, module, play

__all__ = ["play"]

Reason = Callable[[Live], str | None]


def answering(*reasons: str | None) -> Reason:
    """Return a gate that says these one after the other, and holds for ever after."""
    left: Iterator[str | None] = iter(reasons)
    return lambda live: next(left, None)


def waiting(reason: Reason, timeout: float = 60.0, **more: Reason) -> Module:
    """Return a module whose first stage only waits."""
    stages = iter([Stage("wait", (), after=Gate("well", reason, timeout, **more))])
    return module(next_stage=lambda live: next(stages, None), describe=_nothing)


def _nothing(site: object, server: object) -> Description:
    return Description(())


def ended(found: Play, kind: type[KbzError] = StepError) -> KbzError:
    with pytest.raises(kind) as caught:
        found.run()
    return caught.value


class TestPolling:
    def test_it_reads_its_module_until_the_gate_holds_and_then_all(self, play: Make) -> None:
        found = play(waiting(answering("no", "no")), module("other", describe=_nothing))
        found.run()
        assert found.hosts.looks == [
            ("demo", "other"), ("demo",), ("demo",), ("demo", "other"),
        ]  # fmt: skip
        assert [(e.name, e.seconds) for e in found.of(events.GateHeld)] == [("well", 1.0)]

    def test_a_gate_that_holds_no_more_when_all_is_read_is_waited_for_again(
        self, play: Make
    ) -> None:
        found = play(waiting(answering("no", None, "again")))
        found.run()
        assert len(found.clock.waits) == 2
        assert len(found.hosts.looks) == 1 + 1 + 1 + 1 + 1

    def test_a_host_that_falls_silent_meanwhile_is_known_to_be(self, play: Make) -> None:
        seen: list[set[str]] = []

        def reason(live: Live) -> str | None:
            seen.append(set(live.unreachable))
            return None if live.unreachable else "no"

        found = play(waiting(reason))
        found.clock.then = lambda: found.hosts.away.add(FIRST)
        found.run()
        assert seen == [set(), {FIRST}, {FIRST}]
        assert found.conductor.last is not None
        assert set(found.conductor.last.unreachable) == {FIRST}

    def test_a_new_reason_is_told_once(self, play: Make) -> None:
        found = play(waiting(answering("one", "one", "two", "one")))
        found.run()
        assert [(e.name, e.reason) for e in found.of(events.GateWaiting)] == [
            ("well", "one"), ("well", "two"), ("well", "one"),
        ]  # fmt: skip

    def test_pauses_begin_short_and_stay_below_two_seconds(self, play: Make) -> None:
        found = play(waiting(answering(*["no"] * 60), timeout=600.0))
        found.run()
        waits = found.clock.waits
        assert waits[0] == 0.5
        assert waits == sorted(waits)
        assert waits[-1] == 2.0
        # A twentieth of what has passed already, in between.
        passed = 0.0
        for wait in waits:
            assert wait == pytest.approx(min(max(0.5, passed / 20), 2.0))
            passed += wait

    def test_what_cannot_be_judged_is_a_reason_to_wait(self, play: Make) -> None:
        left = iter([True])

        def reason(live: Live) -> str | None:
            if next(left, False):
                raise KeyError("lag")
            return None

        found = play(waiting(reason))
        found.run()
        [told] = found.of(events.GateWaiting)
        assert told.reason.startswith("what the hosts say cannot be judged: ")
        assert "lag" in told.reason

    def test_a_refusal_inside_of_a_gate_ends_it(self, play: Make) -> None:
        def reason(live: Live) -> str | None:
            raise RefusedError("two clusters")

        found = play(waiting(reason))
        assert ended(found, RefusedError).what == "two clusters"
        assert found.clock.waits == []


class TestGivingUp:
    def test_after_its_time_with_the_last_reason(self, play: Make) -> None:
        found = play(waiting(lambda live: "no route", timeout=1.0))
        error = ended(found)
        assert error.what == "gate “well” did not hold within 1 s: no route"
        assert error.where == "demo"
        assert error.hint == "the roll has stopped here; look at kbz health demo"
        # At its very end it is still asked.
        assert found.clock.waits == [0.5, 0.5, 0.5]

    def test_on_request(self, play: Make) -> None:
        found = play(waiting(lambda live: "no"))
        found.clock.then = found.clock.set
        assert ended(found, StoppedError).what == "stopped on request"
        assert len(found.hosts.looks) == 1, "it is not read again"

    def test_at_the_end_of_the_runs_time(self, play: Make) -> None:
        found = play(waiting(lambda live: "no"), seconds=1.0)
        assert ended(found, StoppedError).what == "the time of this run is over"

    def test_at_once_when_it_can_hold_no_more(self, play: Make) -> None:
        found = play(waiting(lambda live: "no", hopeless=lambda live: "it has ended for good"))
        error = ended(found)
        assert error.what == "gate “well” can hold no more: it has ended for good"
        assert found.clock.waits == []
        assert found.of(events.GateWaiting) == []

    def test_not_when_whether_it_can_hold_cannot_be_judged(self, play: Make) -> None:
        def hopeless(live: Live) -> str | None:
            raise KeyError("state")

        play(waiting(answering("no"), hopeless=hopeless)).run()

        def refuses(live: Live) -> str | None:
            raise RefusedError("two clusters")

        found = play(waiting(answering("no"), hopeless=refuses))
        assert ended(found, RefusedError).what == "two clusters"


class TestLasting:
    """What the module's own checks say that waiting does not change: certain after ten seconds."""

    def broken(
        self,
        reason: Reason,
        *findings: Finding,
        lasting: bool = True,
        checks: Callable[[Live], tuple[Finding, ...]] | None = None,
    ) -> Module:
        with_checks = module(checks=checks or (lambda live: findings), lasting=lasting)
        return replace(
            waiting(reason, 600.0),
            checks=with_checks.checks,
            check_infos=with_checks.check_infos,
        )

    def finding(self, level: Level = Level.CRITICAL, check: str = "demo.well") -> Finding:
        return Finding(check, level, "an alarm is on", FIRST, "free the disk")

    def test_it_fails_with_what_it_is_and_the_way_out(self, play: Make) -> None:
        found = play(self.broken(lambda live: "no", self.finding()))
        error = ended(found)
        assert error.what == (
            f"gate “well” can hold no more: {FIRST}: demo.well: an alarm is on; free the disk"
        )
        assert sum(found.clock.waits) == 10.0

    def test_of_a_cluster_without_a_hint_it_is_told_alone(self, play: Make) -> None:
        found = play(self.broken(lambda live: "no", Finding("demo.well", Level.CRITICAL, "paused")))
        assert ended(found).what == "gate “well” can hold no more: demo.well: paused"

    def test_other_findings_are_waited_for(self, play: Make) -> None:
        for chain in (
            self.broken(answering(*["no"] * 30), self.finding(Level.WARN)),
            self.broken(answering(*["no"] * 30), self.finding(check="demo.other")),
            self.broken(answering(*["no"] * 30), self.finding(), lasting=False),
        ):
            play(chain).run()

    def test_behind_other_findings_it_is_seen_all_the_same(self, play: Make) -> None:
        found = play(
            self.broken(lambda live: "no", self.finding(check="demo.other"), self.finding())
        )
        assert "an alarm is on" in ended(found).what

    def test_one_that_goes_away_in_between_is_not_certain(self, play: Make) -> None:
        moments = iter(range(100))

        def checks(live: Live) -> tuple[Finding, ...]:
            return (self.finding(),) if next(moments) % 8 else ()

        play(self.broken(answering(*["no"] * 50), checks=checks)).run()

    def test_checks_that_cannot_judge_prove_nothing(self, play: Make) -> None:
        def checks(live: Live) -> tuple[Finding, ...]:
            raise KeyError("disk")

        play(self.broken(answering(*["no"] * 30), checks=checks)).run()


def test_a_wait_before_a_stage_is_over_before_anything_is_changed(play: Make) -> None:
    done: list[int] = []
    reason = answering("no")

    def noted(now: Live) -> str | None:
        done.append(len(found.hosts.deeds))
        return reason(now)

    def gated(live: Live) -> Stage | None:
        changes = tuple(live.changes())
        return Stage("bring", changes, Gate("before", noted, 60)) if changes else None

    found = play(module(next_stage=gated))
    found.run()
    assert done == [0, 0, 0]
    assert len(found.hosts.deeds) == len(HOSTS)

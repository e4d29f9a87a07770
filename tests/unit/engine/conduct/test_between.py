"""What happens between two batches, and after the canary: a pause, a question, and a second look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine import events
from keybuzz.engine.pace.pace import Pace, Share
from keybuzz.model.core.errors import StepError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from tests.unit.engine.conduct.paced import FIRST, FLEET, SECOND, on_fleet
from tests.unit.engine.conduct.scripted import Make, play

__all__ = ["play"]


class TestBetween:
    def test_it_pauses_and_asks_between_batches_only(self, play: Make) -> None:
        asked: list[str] = []
        pace = Pace(Share(4), FIRST, 7.0, agree=asked.append)
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=pace)
        found.run()
        assert [len(hosts) for hosts in found.hosts.rounds] == [1, 1, 4, 4, 4, 4, 3, 3]
        assert found.clock.waits == [7.0] * 3
        assert [(e.done, e.left, e.pause) for e in found.of(events.BatchEnded)] == [
            (1, 11, 7.0),
            (5, 7, 7.0),
            (9, 3, 7.0),
        ]
        assert asked[0] == f"a: 1 hosts are done, 11 left, next {SECOND}"

    def test_a_no_begins_no_other_host(self, play: Make) -> None:
        def no(question: str) -> None:
            raise StoppedError("stopped between two batches")

        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=Pace(canary=SECOND, agree=no))
        with pytest.raises(StoppedError, match="between two batches"):
            found.run()
        assert {host for host, _ in found.hosts.deeds} == {SECOND}

    def test_a_stop_during_the_pause_ends_it(self, play: Make) -> None:
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=Pace(Share(4), pause=60.0))
        found.clock.then = found.clock.set
        with pytest.raises(StoppedError, match="stopped on request"):
            found.run()
        assert len({host for host, _ in found.hosts.deeds}) == 4

    @pytest.mark.parametrize(("may", "begun"), [(0, 4), (1, 12)])
    def test_a_host_that_is_worse_afterwards_has_failed(
        self, play: Make, may: int, begun: int
    ) -> None:
        """A host that was critical before is told of elsewhere: this run has not broken it."""
        changed: set[str] = set()

        def checks(live: Live) -> tuple[Finding, ...]:
            bad = {FLEET[5]} | ({SECOND} & changed)
            return tuple(Finding("a.well", Level.CRITICAL, "it is down", host=h) for h in bad)

        found = play(
            replace(on_fleet("a"), checks=checks),
            selected=FLEET,
            fleet=FLEET,
            pace=Pace(Share(4), pause=1.0, max_fail=Share(may)),
        )
        found.clock.then = lambda: changed.update(host for host, _ in found.hosts.deeds)
        error = found.conductor.ending(lambda: found.conductor.run(found.look()))
        assert error is not None
        assert [e.host for e in found.of(events.LeftOut)] == [SECOND]
        assert len({host for host, _ in found.hosts.deeds}) == begun

    def test_a_canary_that_is_worse_stops_whatever_may_fail(self, play: Make) -> None:
        changed: list[str] = []

        def checks(live: Live) -> tuple[Finding, ...]:
            bad = Finding("a.well", Level.CRITICAL, "it is down", host=FIRST)
            return (bad,) if changed else ()

        pace = Pace(canary=FIRST, pause=1.0, max_fail=Share(100, percent=True))
        found = play(replace(on_fleet("a"), checks=checks), selected=FLEET, fleet=FLEET, pace=pace)
        found.clock.then = lambda: changed.append(FIRST)
        error = found.conductor.ending(lambda: found.conductor.run(found.look()))
        assert error is not None
        assert error.what == "a.well: it is down; it was not so before this run"
        assert {host for host, _ in found.hosts.deeds} == {FIRST}

    @pytest.mark.parametrize(("may", "begun"), [(0, 4), (1, 12)])
    def test_a_host_that_falls_silent_has_failed(self, play: Make, may: int, begun: int) -> None:
        pace = Pace(Share(4), max_fail=Share(may))
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=pace)
        found.hosts.lost = frozenset({SECOND})
        error = found.conductor.ending(lambda: found.conductor.run(found.look()))
        assert error is not None
        assert [e.host for e in found.of(events.LeftOut)] == [SECOND]
        assert (
            "does not answer since it was changed: no route" in found.conductor.waves.failed[SECOND]
        )
        assert len({host for host, _ in found.hosts.deeds}) == begun

    def test_a_canary_that_falls_silent_stops_whatever_may_fail(self, play: Make) -> None:
        pace = Pace(canary=FIRST, max_fail=Share(100, percent=True))
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=pace)
        found.hosts.lost = frozenset({FIRST})
        error = found.conductor.ending(lambda: found.conductor.run(found.look()))
        assert error is not None
        assert error.where == FIRST
        assert {host for host, _ in found.hosts.deeds} == {FIRST}

    def test_what_cannot_be_judged_begins_no_other_host(self, play: Make) -> None:
        """A canary that nothing can be said of has proved nothing."""
        deeds: list[tuple[str, str]] = []

        def checks(live: Live) -> tuple[Finding, ...]:
            if deeds:
                raise ValueError("odd answer")
            return ()

        pace = Pace(canary=FIRST, max_fail=Share(100, percent=True))
        found = play(replace(on_fleet("a"), checks=checks), selected=FLEET, fleet=FLEET, pace=pace)
        found.hosts.deeds = deeds
        error = found.conductor.ending(lambda: found.conductor.run(found.look()))
        assert isinstance(error, StepError)
        assert "cannot be judged" in error.what
        assert "odd answer" in error.what
        assert {host for host, _ in deeds} == {FIRST}

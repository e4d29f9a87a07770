"""The conductor and the clusters of other modules on the hosts of a stage: asked, led elsewhere, waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.guard import QuorumError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.site.module import Description, Module
from tests.unit.engine.conduct.scripted import (
    FIRST,
    HOSTS,
    SECOND,
    THIRD,
    Make,
    Play,
    all_at_once,
    module,
    play,
    up,
)

__all__ = ["play"]


def cluster(
    name: str = "cluster",
    members_up: Callable[[Live], frozenset[str]] | None = None,
    **more: Any,
) -> Module:
    """Return a module with a quorum and nothing to change."""
    counted = members_up or up()
    return module(name, members_up=counted, describe=lambda site, server: Description(()), **more)


def engine(**more: Any) -> Module:
    """Return a module that restarts what its hosts carry."""
    return module("engine", restarts=True, **more)


def held(found: Play) -> list[str]:
    return [event.name for event in found.of(events.GateHeld)]


class TestGuard:
    def test_a_cluster_that_is_not_of_this_run_is_read_and_counted(self, play: Make) -> None:
        found = play(engine(next_stage=all_at_once), every=(cluster(),))
        with pytest.raises(QuorumError, match="cluster would keep 0 of 3 members"):
            found.run()
        assert found.hosts.deeds == []
        assert found.hosts.looks == [("engine",), ("cluster", "engine")]

    def test_one_that_is_known_is_not_described_again(self, play: Make) -> None:
        found = play(engine(), every=(cluster(),))
        found.run()
        assert found.hosts.looks[0] == ("engine",)
        assert set(found.hosts.looks[1:]) == {("cluster", "engine")}

    def test_a_stage_that_interrupts_nobody_asks_no_cluster(self, play: Make) -> None:
        found = play(module("engine"), every=(cluster(members_up=up(*HOSTS)),))
        found.run()
        assert set(found.hosts.looks) == {("engine",)}

    def test_it_is_counted_again_when_the_gate_before_has_been_waited_for(self, play: Make) -> None:
        down: set[str] = set()

        def gated(live: Live) -> Stage | None:
            def loses(now: Live) -> str | None:
                down.add(SECOND)
                return None

            changes = live.hosts[FIRST].changes
            return Stage("bring", changes, Gate("before", loses, 60.0)) if changes else None

        members = cluster(members_up=lambda live: frozenset(HOSTS) - down)
        found = play(engine(next_stage=gated), every=(members,))
        with pytest.raises(QuorumError):
            found.run()
        assert found.hosts.deeds == []


class TestBackAgain:
    def test_the_next_host_waits_until_the_cluster_is_as_before(self, play: Make) -> None:
        down: list[str] = []

        def members(live: Live) -> frozenset[str]:
            for host, identity in found.hosts.deeds[len(down) :]:
                assert identity == "file:/engine"
                down.append(host)
            gone = {down[-1]} if down and len(found.clock.waits) < len(down) else set()
            return frozenset(live.hosts) - gone

        found = play(engine(), every=(cluster(members_up=members),))
        found.run()
        assert held(found) == ["cluster is as before"] * 3
        assert [e.reason for e in found.of(events.GateWaiting)] == [
            f"{host} not back in cluster" for host in HOSTS
        ]

    def test_its_own_gates_know_its_own_cluster(self, play: Make) -> None:
        found = play(module("engine", restarts=True, members_up=up()))
        found.run()
        assert held(found) == []

    def test_each_of_several_is_waited_for(self, play: Make) -> None:
        found = play(
            module("engine", restarts=True, members_up=up()), every=(cluster("a"), cluster("b"))
        )
        found.run()
        assert held(found) == ["a is as before", "b is as before"] * 3


class Turns:
    """A cluster that hands over what a host leads, and lets it lead again."""

    def __init__(self, *leads: str) -> None:
        self.leads = set(leads)
        self.asked: list[str] = []
        self.trail: list[str] = []

    def release(self, live: Live, host: str) -> Stage | None:
        assert live.module == "cluster"
        self.asked.append(f"release {host}")
        return self._stage("hand over from", host) if host in self.leads else None

    def regain(self, live: Live, host: str) -> Stage | None:
        self.asked.append(f"regain {host}")
        return self._stage("take back", host) if host in self.leads else None

    def _stage(self, word: str, host: str) -> Stage:
        def told(now: Live) -> str | None:
            self.trail.append(f"{word} {host}")
            return None

        return Stage("wait", (), after=Gate(f"{word} {host}", told, 60.0))

    def module(self, name: str = "cluster") -> Module:
        return cluster(name, release=self.release, regain=self.regain)


class TestTurns:
    def test_a_lead_is_handed_over_before_the_change_and_taken_back_after_it(
        self, play: Make
    ) -> None:
        turns = Turns(SECOND)
        found = play(engine(), every=(turns.module(),))
        found.run()
        assert turns.asked == [f"{word} {host}" for host in HOSTS for word in ("release", "regain")]
        assert turns.trail == [f"hand over from {SECOND}", f"take back {SECOND}"]
        told = [e.name for e in found.heard if isinstance(e, events.GateHeld | events.StageStarted)]
        assert told == [
            f"bring {FIRST}", "cluster is as before",
            f"hand over from {SECOND}", f"bring {SECOND}", "cluster is as before",
            f"take back {SECOND}",
            f"bring {THIRD}", "cluster is as before",
        ]  # fmt: skip

    def test_hosts_of_one_stage_hand_over_in_order(self, play: Make) -> None:
        turns = Turns(*HOSTS)

        def backwards(live: Live) -> Stage | None:
            changes = tuple(reversed(tuple(live.changes())))
            return Stage("bring all", changes) if changes else None

        carrying = turns.module()
        found = play(engine(next_stage=backwards), every=(carrying,), selected=(THIRD, FIRST))
        with pytest.raises(QuorumError):
            found.run()
        assert turns.asked == []
        found = play(
            engine(next_stage=backwards),
            every=(cluster(release=turns.release, regain=turns.regain, least_up=0),),
        )
        found.run()
        assert turns.asked == [*(f"release {h}" for h in HOSTS), *(f"regain {h}" for h in HOSTS)]
        assert len(turns.trail) == 6

    def test_a_module_is_not_asked_for_its_own_stage(self, play: Make) -> None:
        turns = Turns(*HOSTS)
        own = module(
            "cluster", restarts=True, members_up=up(), release=turns.release, regain=turns.regain
        )
        found = play(own, every=(cluster("other"),))
        found.run()
        assert turns.asked == []

    def test_behind_its_own_the_clusters_of_others_are_asked(self, play: Make) -> None:
        turns = Turns(SECOND)
        found = play(module("own", restarts=True, members_up=up()), every=(turns.module(),))
        found.run()
        assert turns.trail == [f"hand over from {SECOND}", f"take back {SECOND}"]

    def test_a_host_out_of_sight_is_passed_over_and_the_next_is_asked(self, play: Make) -> None:
        """It fell silent since the stage was chosen: what it leads cannot be told."""
        turns = Turns(*HOSTS)
        found = play(
            engine(next_stage=all_at_once),
            every=(cluster(release=turns.release, regain=turns.regain, least_up=0),),
        )
        first = found.look()
        found.hosts.away.add(FIRST)
        live = found.conductor.view(first).live(found.conductor.modules[0], found.conductor.site)
        stage = all_at_once(live)
        assert stage is not None
        last = found.conductor.stage(found.conductor.modules[0], stage, first)
        assert set(last.unreachable) == {FIRST}
        expected = [SECOND, THIRD]
        assert turns.asked == [
            *(f"release {h}" for h in expected), *(f"regain {h}" for h in expected),
        ]  # fmt: skip

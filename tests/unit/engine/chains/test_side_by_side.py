"""The real conductor takes modules side by side: at the same time, each host by one, and to the same end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from keybuzz.engine import events
from keybuzz.engine.chains.side_by_side import side_by_side
from keybuzz.engine.change.steps import apply
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.site.module import Module
from tests.unit.engine.conduct import scripted
from tests.unit.engine.conduct.scripted import Make, Play, module, play, up

__all__ = ["play"]

GROUPS = {"redis": "redis-0", "rabbitmq": "queue-0", "galera": "maria-0"}
FLEET = tuple(f"{prefix}{number}" for prefix in GROUPS.values() for number in (1, 2, 3))
PATIENCE = 20.0


def of(group: str, name: str = "", **more: Any) -> Module:
    return module(name or group, group=group, **more)


@dataclass
class Meeting(scripted.Hosts):
    """Hosts that know who is at work on each, and where two changes can wait for each other."""

    busy: set[str] = field(default_factory=set)
    shared: list[tuple[str, ...]] = field(default_factory=list)
    """Hosts that were at work twice at the same time."""
    together: threading.Barrier | None = None
    turn: Any = field(default_factory=threading.Lock)
    before: Callable[[list[str]], object] = lambda names: None

    def run(self, names: list[str], task: Callable[..., Any], words: dict[str, Any]) -> Any:
        with self.turn:
            self.shared += [tuple(sorted(self.busy & set(names)))] * bool(self.busy & set(names))
            self.busy |= set(names)
        try:
            if task is apply:
                self.before(names)
                if self.together is not None:
                    self.together.wait(PATIENCE)
            return super().run(names, task, words)
        finally:
            with self.turn:
                self.busy -= set(names)


@pytest.fixture
def beside(play: Make) -> Callable[..., Play]:
    """Return what makes a run side by side over three groups of three hosts."""

    def make(*chain: Module, **more: Any) -> Play:
        found = play(*chain, fleet=FLEET, selected=FLEET, **more)
        found.hosts = Meeting(found.hosts.states)
        nornir: Any = found.conductor.nornir
        nornir.hosts = found.hosts
        found.conductor.route = side_by_side
        return found

    return make


def hosts_of(found: Play) -> Meeting:
    assert isinstance(found.hosts, Meeting)
    return found.hosts


def refused(found: Play, kind: type[KbzError] = KbzError) -> KbzError:
    error = found.conductor.ending(found.run)
    assert isinstance(error, kind), error
    return error


def ends(found: Play) -> dict[str, str]:
    return {event.module: event.error for event in found.of(events.ModuleEnded)}


def inner(found: Play, kind: type[Any]) -> list[tuple[str, Any]]:
    return [
        (event.module, event.event)
        for event in found.of(events.Beside)
        if isinstance(event.event, kind)
    ]


def test_clusters_on_other_hosts_are_changed_at_the_same_time(beside: Make) -> None:
    """Each change of the first waits for one of the second: one after the other, they would wait for ever."""
    found = beside(of("redis"), of("rabbitmq"))
    hosts_of(found).together = threading.Barrier(2)
    found.run()
    assert len(found.hosts.deeds) == 6
    assert hosts_of(found).shared == []


def test_it_comes_to_the_same_end_as_one_after_the_other(beside: Make, play: Make) -> None:
    def chain() -> tuple[Module, ...]:
        return (
            of("redis", members_up=up()),
            of("redis", "entry", needs=("rabbitmq",)),
            of("rabbitmq", restarts=True, members_up=up()),
            of("galera", "last", comes_last=True),
        )

    both = beside(*chain()), play(*chain(), fleet=FLEET, selected=FLEET)
    for found in both:
        last = found.run()
        assert last is found.conductor.last
    one, other = both
    assert sorted(one.hosts.deeds) == sorted(other.hosts.deeds)
    assert one.hosts.states == other.hosts.states
    assert hosts_of(one).shared == []
    assert {r.outcome for r in one.conductor.results} == {Outcome.CHANGED}
    assert len(one.conductor.results) == len(one.hosts.deeds)


def test_a_module_waits_for_what_it_needs_and_for_its_hosts(beside: Make) -> None:
    found = beside(
        of("redis", "entry", needs=("rabbitmq",)), of("redis"), of("rabbitmq"), of("galera")
    )
    found.run()
    order = [name for name, _ in inner(found, events.ModuleBegun)]
    assert order.index("entry") > max(order.index("redis"), order.index("rabbitmq"))
    waits = dict(found.of(events.Arranged)[0].waits)
    assert waits == {"redis": (), "rabbitmq": (), "galera": (), "entry": ("rabbitmq", "redis")}
    first = {path: at for at, (_, path) in reversed(list(enumerate(found.hosts.deeds)))}
    last = {path: at for at, (_, path) in enumerate(found.hosts.deeds)}
    assert first["file:/entry"] > max(last["file:/redis"], last["file:/rabbitmq"])


def test_when_nothing_is_to_be_done_no_host_is_asked_again(beside: Make) -> None:
    found = beside(of("redis"), of("rabbitmq"))
    for host in FLEET:
        for name in ("redis", "rabbitmq"):
            found.hosts.right(f"/{name}", host)
    found.run()
    assert (len(found.hosts.looks), found.hosts.deeds) == (1, [])
    assert found.conductor.last is None


def test_a_module_that_begins_after_a_change_reads_its_hosts_again(beside: Make) -> None:
    found = beside(of("redis", next_stage=scripted.all_at_once), of("redis", "entry"))
    hosts_of(found).before = lambda names: found.hosts.right("/entry", "redis-02")
    found.run()
    # What has become right meanwhile, with the first module, is not changed by the second.
    assert [host for host, path in found.hosts.deeds if path == "file:/entry"] == [
        "redis-01",
        "redis-03",
    ]


def test_what_is_proven_at_the_end_is_of_one_moment(beside: Make) -> None:
    found = beside(of("redis"), of("rabbitmq"))
    found.run()
    assert found.hosts.looks[-1] == ("rabbitmq", "redis")


class TestFailure:
    def test_one_fails_what_needs_it_is_not_begun_and_the_others_end(self, beside: Make) -> None:
        found = beside(
            of("redis"),
            of("rabbitmq"),
            of("galera", "entry", needs=("redis",)),
            of("galera", "last", comes_last=True),
        )
        found.hosts.fails["redis-01"] = Outcome.FAILED
        error = refused(found, StepError)
        assert error.code is ExitCode.FAILED
        assert error.what == (
            "redis (redis-01): file:/redis: said so; not begun: entry, last; done: rabbitmq"
        )
        assert error.hint == "look there"
        assert {path for _, path in found.hosts.deeds} == {"file:/redis", "file:/rabbitmq"}
        assert ends(found) == {}
        told = {name: bool(event.error) for name, event in inner(found, events.ModuleEnded)}
        assert told == {"redis": True, "rabbitmq": False}
        because = {event.module: event.because for event in found.of(events.NotBegun)}
        assert because == {"entry": ("redis",), "last": ("redis", "entry")}

    def test_two_fail_and_both_are_told_by_the_worst_code(self, beside: Make) -> None:
        def refuses(live: Live) -> Stage:
            raise RefusedError("it is frozen", hint="lift it")

        found = beside(of("redis"), of("rabbitmq", next_stage=refuses))
        found.hosts.fails["redis-01"] = Outcome.FAILED
        error = refused(found)
        assert error.code is ExitCode.REFUSED
        assert error.what == "redis (redis-01): file:/redis: said so; rabbitmq: it is frozen"
        assert error.hint == "lift it"

    def test_a_failure_on_its_hosts_stops_a_module_that_does_not_need_it(
        self, beside: Make
    ) -> None:
        found = beside(of("redis"), of("redis", "entry"), of("rabbitmq"))
        found.hosts.fails["redis-03"] = Outcome.FAILED
        refused(found)
        assert {path for _, path in found.hosts.deeds} == {"file:/redis", "file:/rabbitmq"}

    def test_an_unhealthy_module_fails_as_one_after_the_other(self, beside: Make) -> None:
        sick = Finding("redis.well", Level.CRITICAL, "it is broken")
        found = beside(of("redis", checks=lambda live: (sick,)), of("rabbitmq"))
        error = refused(found, RefusedError)
        assert "module redis is required first and is not healthy" in error.what

    def test_a_fault_of_kbz_in_one_module_ends_that_one(self, beside: Make) -> None:
        def broken(live: Live) -> frozenset[str]:
            raise ZeroDivisionError

        found = beside(of("redis", members_up=broken, restarts=True), of("rabbitmq"))
        error = refused(found)
        assert "kbz found a fault of its own: ZeroDivisionError" in error.what
        assert len([1 for _, path in found.hosts.deeds if path == "file:/rabbitmq"]) == 3

    def test_failures_are_counted_over_all_modules(self, beside: Make) -> None:
        from keybuzz.engine.pace.pace import Pace, Share

        found = beside(of("redis"), of("rabbitmq"), pace=Pace(max_fail=Share(1)))
        found.hosts.fails |= {"redis-01": Outcome.FAILED, "queue-01": Outcome.FAILED}
        refused(found)
        assert set(found.conductor.waves.failed) == {"redis-01", "queue-01"}


class TestStop:
    def test_a_stop_lets_the_stages_at_work_end_and_begins_no_module(self, beside: Make) -> None:
        found = beside(of("redis"), of("rabbitmq"), of("galera", needs=("redis",)))
        hosts_of(found).together = threading.Barrier(2, action=found.clock.set)
        error = refused(found, StoppedError)
        assert error.code is ExitCode.INTERRUPTED
        assert error.what == "stopped on request"
        assert {host for host, _ in found.hosts.deeds} == {"redis-01", "queue-01"}
        assert found.of(events.NotBegun) == []

    def test_a_stop_between_two_modules_is_told_although_none_of_them_saw_it(
        self, beside: Make
    ) -> None:
        found = beside(of("redis", next_stage=scripted.all_at_once), of("redis", "entry"))
        hosts_of(found).before = lambda names: found.clock.set()
        assert refused(found, StoppedError).what == "stopped on request"
        assert {path for _, path in found.hosts.deeds} == {"file:/redis"}


def test_what_the_quorum_forbids_now_is_done_when_all_others_have_ended(beside: Make) -> None:
    """The member that is down comes back with a later module, on its own host."""
    state = {"up": {"redis-01", "redis-02"}}

    def members(live: Live) -> frozenset[str]:
        return frozenset(state["up"])

    found = beside(
        of("redis", "first", restarts=True),
        of("redis", members_up=members),
        of("rabbitmq"),
    )
    hosts_of(found).before = lambda names: state["up"].update({"redis-03"} & set(names))
    found.run()
    (postponed,) = [name for name, _ in inner(found, events.Postponed)]
    assert postponed == "first"
    assert found.hosts.deeds[-1][1] == "file:/first"
    assert len(found.hosts.deeds) == 9

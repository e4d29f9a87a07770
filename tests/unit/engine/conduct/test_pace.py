"""Careful rollouts, on the real conductor: never more hosts touched than allowed, whatever fails when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybuzz.engine import events
from keybuzz.engine.pace.pace import Pace, Share
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.unit.engine.conduct.scripted import (
    HOSTS,
    Make,
    Play,
    all_at_once,
    module,
    one_by_one,
    play,
    up,
)
from tests.unit.support.site_values import memory_site

__all__ = ["play"]

FLEET = tuple(sorted(server.name for server in memory_site().servers))[:12]
FIRST, SECOND, *_ = FLEET


class Dangerous(File):
    """A file of which a wrong one locks kbz out."""

    @property
    def guarded(self) -> bool:
        return True


def in_two_stages(live: Live) -> Stage | None:
    """Two stages, each for all hosts at once, as base has them."""
    for suffix in ("one", "two"):
        if changes := tuple(c for c in live.changes() if c.identity.endswith(suffix)):
            return Stage(suffix, changes)
    return None


def on_fleet(name: str, kind: type[File] = File) -> Module:
    """Return a module of two files on every server."""

    def describe(site: Site, server: Server) -> Description:
        text = Content.plain("new\n")
        return Description((kind(f"/{name}-one", text), File(f"/{name}-two", text)))

    return replace(module(name, in_two_stages), group="all", describe=describe)


@dataclass(frozen=True)
class Case:
    """What is asked for, and what breaks."""

    pace: Pace
    broken: frozenset[str]
    how: Outcome | RuntimeError | None
    """How a change ends there; None where it ends well, and the host is silent from then on."""

    @property
    def allowed(self) -> int:
        return self.pace.max_fail.of(len(FLEET))

    @property
    def size(self) -> int:
        return self.pace.size(len(FLEET))


SHARES = st.builds(Share, st.integers(1, 8)) | st.builds(Share, st.integers(1, 80), st.just(True))
CASES = st.builds(
    Case,
    st.builds(
        Pace,
        st.none() | SHARES,
        st.just("") | st.sampled_from(FLEET),
        st.just(0.0),
        st.just(Share(0)) | SHARES,
    ),
    st.frozensets(st.sampled_from(FLEET), max_size=6),
    st.sampled_from([Outcome.FAILED, Outcome.UNKNOWN, RuntimeError("lost")]),
)
SILENT = CASES.filter(lambda case: case.pace.parts).map(lambda case: replace(case, how=None))
Rollout = Callable[[Live], Stage | None]
KIND = st.sampled_from([File, Dangerous])
PROPERTY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


def ran(play: Make, case: Case, kind: type[File]) -> tuple[Play, KbzError | None]:
    found = play(on_fleet("a", kind), on_fleet("b"), selected=FLEET, fleet=FLEET, pace=case.pace)
    breaks(found, case)
    first = found.look()
    return found, found.conductor.ending(lambda: found.conductor.run(first))


def breaks(found: Play, case: Case) -> None:
    """Let the broken hosts fail, or fall silent after their first change."""
    if case.how is None:
        found.hosts.lost = case.broken
    else:
        found.hosts.fails |= dict.fromkeys(case.broken, case.how)


@PROPERTY
@given(case=CASES, kind=KIND)
def test_never_more_hosts_are_touched_than_allowed(
    play: Make, case: Case, kind: type[File]
) -> None:
    found, error = ran(play, case, kind)
    failed: set[str] = set()
    for place, hosts in enumerate(found.hosts.rounds):
        assert len(hosts) <= case.size
        assert not failed & set(hosts), "a host that failed is touched no more"
        assert len(failed) <= case.allowed, "more had failed than may, and others were begun"
        if place == 0 and (case.pace.canary or kind is Dangerous):
            assert len(hosts) == 1
        if place == 0 and case.pace.canary:
            assert hosts == (case.pace.canary,)
        failed |= case.broken & set(hosts)
    touched = {host for hosts in found.hosts.rounds for host in hosts}
    if case.pace.canary in case.broken:
        assert touched == {case.pace.canary}
    if len(failed) <= case.allowed and not (failed and trial_failed(found, case, kind)):
        assert touched == set(FLEET)
    assert (error is None) == (not case.broken)


@PROPERTY
@given(case=SILENT)
def test_no_host_is_begun_when_more_have_fallen_silent_than_may(play: Make, case: Case) -> None:
    """A host that took its change well and does not answer any more has failed like any other."""
    found, error = ran(play, case, File)
    deeds = iter(found.hosts.deeds)
    begun: set[tuple[str, str]] = set()
    silent: set[str] = set()
    for hosts in found.hosts.rounds:
        made = {(host, identity[:7]) for host, identity in (next(deeds) for _ in hosts)}
        assert not silent & set(hosts)
        assert made <= begun or len(silent) <= case.allowed, "more were silent than may"
        assert made <= begun or case.pace.canary not in silent
        begun |= made
        silent |= case.broken & set(hosts)
    assert next(deeds, None) is None
    assert (error is None) == (not case.broken)
    if len(silent) <= case.allowed and case.pace.canary not in case.broken:
        assert {host for host, _ in begun} == set(FLEET)


def trial_failed(found: Play, case: Case, kind: type[File]) -> bool:
    """Return whether what was tried on one host first has failed there."""
    first = found.hosts.rounds[0]
    return (
        len(first) == 1
        and first[0] in case.broken
        and (bool(case.pace.canary) or kind is Dangerous)
    )


@PROPERTY
@given(case=CASES, kind=KIND)
def test_a_batch_is_done_before_the_next_host_is_begun(
    play: Make, case: Case, kind: type[File]
) -> None:
    found, _ = ran(play, case, kind)
    for name in "ab":
        made: dict[str, int] = {}
        for host, identity in found.hosts.deeds:
            if identity.startswith(f"file:/{name}-"):
                if host not in made:
                    half = {h for h, count in made.items() if count == 1 and h not in case.broken}
                    assert len(half) < case.size
                made[host] = made.get(host, 0) + 1


@PROPERTY
@given(case=CASES, kind=KIND)
def test_who_did_not_fail_is_as_described(play: Make, case: Case, kind: type[File]) -> None:
    found, error = ran(play, case, kind)
    if error is None or "were left out" in error.what:
        left = {h for h in FLEET for c in found.live(on_fleet("b")).hosts[h].changes if c}
        assert left == case.broken & {r.change.host for r in found.conductor.results}
        assert len(left) <= case.allowed


@PROPERTY
@given(case=CASES, quorum=st.booleans())
def test_a_member_that_fails_ends_the_roll_whatever_may_fail(
    play: Make, case: Case, quorum: bool
) -> None:
    """Others depend on it: a share of failures is for hosts that stand alone."""
    cluster = module("cluster", members_up=up(), restarts=True)
    chain = (cluster,) if quorum else (module("engine", restarts=True),)
    pace = replace(case.pace, canary="")
    found = play(*chain, every=(cluster,), pace=pace)
    found.hosts.fails[HOSTS[1]] = Outcome.FAILED
    error = found.conductor.ending(lambda: found.conductor.run(found.look()))
    assert isinstance(error, StepError)
    assert [host for host, _ in found.hosts.deeds] == list(HOSTS[:2])


@PROPERTY
@given(
    first=st.sampled_from(HOSTS),
    broken=st.frozensets(st.sampled_from(HOSTS)),
    how=st.sampled_from([Outcome.FAILED, None]),
    rollout=st.sampled_from([one_by_one, all_at_once]),
)
def test_a_cluster_begins_with_its_canary_and_ends_with_the_first_that_fails(
    play: Make, first: str, broken: frozenset[str], how: Outcome | None, rollout: Rollout
) -> None:
    cluster = module("cluster", rollout, members_up=up())
    found = play(cluster, pace=Pace(canary=first, max_fail=Share(100, percent=True)))
    breaks(found, Case(found.conductor.pace, broken, how))
    error = found.conductor.ending(lambda: found.conductor.run(found.look()))
    assert found.hosts.rounds[0] == (first,)
    touched = [host for host, _ in found.hosts.deeds]
    assert len(set(touched)) == len(touched)
    if first in broken:
        assert touched == [first]
    if not broken:
        assert set(touched) == set(HOSTS)
    assert (error is None) == (not broken)


class TestRefusedCanary:
    """What one host cannot begin alone is refused before anything is changed, with the way out."""

    @staticmethod
    def refused(found: Play, said: str) -> RefusedError:
        with pytest.raises(RefusedError, match=said) as refused:
            found.run()
        assert found.hosts.deeds == []
        return refused.value

    @pytest.mark.parametrize("down", [HOSTS, ()])
    def test_where_the_members_start_together(self, play: Make, down: tuple[str, ...]) -> None:
        """None serves, or nothing is installed yet: the servers' own module before it is not begun either."""
        cluster = module("cluster", all_at_once, members_up=up(*down), virgin=lambda live: not down)
        error = self.refused(
            play(module("base"), cluster, pace=Pace(canary=HOSTS[1])), "they start together"
        )
        assert "without --canary" in error.hint
        found = play(cluster)
        found.run()
        assert found.hosts.rounds == [HOSTS]

    def test_it_may_be_the_only_one_with_something_to_do(self, play: Make) -> None:
        cluster = module("cluster", members_up=up(*HOSTS))
        found = play(cluster, pace=Pace(canary=HOSTS[1]), selected=(HOSTS[1],))
        found.run()
        assert [host for host, _ in found.hosts.deeds] == [HOSTS[1]]

    def test_where_the_next_step_concerns_another_host(self, play: Make) -> None:
        """As the first start of a cluster, which is on its first member whoever is selected."""

        def birth(live: Live) -> Stage | None:
            changes = tuple(live.changes())[:1]
            return Stage("birth", tuple(replace(c, host=HOSTS[0]) for c in changes))

        found = play(module("cluster", birth, members_up=up()), pace=Pace(canary=HOSTS[1]))
        error = self.refused(found, f"concerns {HOSTS[0]}, which has to wait until {HOSTS[1]}")
        assert "without --canary" in error.hint

    def test_where_it_does_not_answer(self, play: Make) -> None:
        """Else all others would be changed at once."""
        found = play(on_fleet("a"), selected=FLEET, fleet=FLEET, pace=Pace(canary=SECOND))
        found.hosts.away = {SECOND}
        assert self.refused(found, "does not answer: no route").where == SECOND


def test_the_members_of_a_cluster_are_taken_in_parts_of_its_own_stage(play: Make) -> None:
    """Its rollout alone knows which order it needs: the gate behind the stage waits for all parts."""
    cluster = module("cluster", all_at_once, members_up=up())
    found = play(cluster, pace=Pace(Share(2)))
    found.run()
    assert found.hosts.rounds == [HOSTS[:2], HOSTS[2:]]
    assert found.stages == ["bring all"]


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


def test_a_dangerous_change_is_tried_on_one_host_each_kind_once(play: Make) -> None:
    found = play(on_fleet("a", Dangerous), on_fleet("b", Dangerous), selected=FLEET, fleet=FLEET)
    found.run()
    assert [len(hosts) for hosts in found.hosts.rounds] == [1, 11, 12, 12, 12]


def test_failures_are_counted_over_the_whole_run(play: Make) -> None:
    """One host fails in each of two modules: together they are more than one."""
    found = play(module("a", all_at_once), module("b", all_at_once), pace=Pace(max_fail=Share(1)))
    found.hosts.fails[HOSTS[0]] = Outcome.FAILED
    [a, _] = found.conductor.modules
    first = found.look()

    def then(event: events.Event) -> None:
        if isinstance(event, events.LeftOut) and event.host == HOSTS[0]:
            found.hosts.fails[HOSTS[1]] = Outcome.FAILED

    found.conductor.listen = then
    error = found.conductor.ending(lambda: found.conductor.run(first))
    assert error is not None
    assert error.where == HOSTS[1]
    assert found.live(a).hosts[HOSTS[2]].changes == ()

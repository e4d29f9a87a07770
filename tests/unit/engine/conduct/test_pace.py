"""Careful rollouts, on the real conductor: never more hosts touched than allowed, whatever fails when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybuzz.engine import events
from keybuzz.engine.pace.pace import Pace, Share
from keybuzz.model.core.errors import KbzError, RefusedError, StepError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.files import File
from tests.unit.engine.conduct.paced import FLEET, SECOND, Dangerous, on_fleet
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

__all__ = ["play"]


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

"""The quorum guard: no stage passes that takes a cluster below its majority."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.guard import (
    BACK_TIMEOUT,
    Cluster,
    QuorumError,
    back_again,
    carried_by,
    cluster_of,
    disrupted,
    fronts_of,
    guard_quorum,
)
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container
from keybuzz.site.module import Module
from tests.unit.support.site_values import memory_site

NAMES = [f"n{number}" for number in range(9)]


def stage(stopping: list[str], gentle: list[str] | None = None) -> Stage:
    """Return a stage that interrupts a service on some hosts, and nothing on others."""
    container = Container("c", "image:1.0")
    return Stage(
        "replace",
        (
            *(Change(host, "m", container, Action.UPDATE, disrupts=True) for host in stopping),
            *(Change(host, "m", container, Action.CREATE) for host in gentle or []),
        ),
    )


def cluster(size: int, up: set[str], name: str = "patroni") -> Cluster:
    return Cluster(name, frozenset(NAMES[:size]), frozenset(up))


@given(st.integers(1, 9), st.data())
def test_what_passes_keeps_the_majority(size: int, data: st.DataObject) -> None:
    members = NAMES[:size]
    up = data.draw(st.sets(st.sampled_from(members)))
    stopping = data.draw(st.sets(st.sampled_from(NAMES)))
    found = cluster(size, up)
    left = up - stopping
    quorate = len(up) > size / 2
    try:
        guard_quorum(stage(sorted(stopping)), [found])
        passed = True
    except RefusedError:
        passed = False
    assert passed == (not up & stopping or not quorate or len(left) > size / 2)
    if passed and quorate:
        assert len(left) > size / 2


@given(st.integers(1, 9))
def test_with_all_members_up_a_minority_may_stop_and_no_more(size: int) -> None:
    found = cluster(size, set(NAMES[:size]))
    may_stop = (size - 1) // 2
    guard_quorum(stage(NAMES[:may_stop]), [found])
    with pytest.raises(RefusedError):
        guard_quorum(stage(NAMES[: may_stop + 1]), [found])


@given(st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from(NAMES))), max_size=4))
def test_one_endangered_cluster_is_enough(clusters: list[tuple[int, set[str]]]) -> None:
    found = [
        cluster(size, up & set(NAMES[:size]), f"c{number}")
        for number, (size, up) in enumerate(clusters)
    ]
    stopping = ["n0", "n1"]
    endangered = [item.name for item in found if not item.survives(stopping)]
    if not endangered:
        guard_quorum(stage(stopping), found)
        return
    with pytest.raises(RefusedError) as caught:
        guard_quorum(stage(stopping), found)
    assert caught.value.where == endangered[0]


def test_changes_that_interrupt_nothing_do_not_count() -> None:
    every = NAMES[:3]
    guard_quorum(stage([], every), [cluster(3, set(every))])
    assert disrupted(stage(["n0"], ["n1"])) == {"n0"}


def test_a_refusal_says_what_would_be_left_and_the_way_out() -> None:
    with pytest.raises(RefusedError) as caught:
        guard_quorum(stage(["n0"]), [cluster(3, {"n0", "n1"})])
    assert caught.value.code is ExitCode.REFUSED
    assert str(caught.value) == (
        "patroni: stage “replace” would stop n0, and patroni would keep 1 of 3 members; it needs 2"
        "\n  → bring back n2 first"
    )
    with pytest.raises(RefusedError, match="use --limit with one host"):
        guard_quorum(stage(["n0", "n1"]), [cluster(3, {"n0", "n1", "n2"})])


def test_a_member_that_is_down_already_may_be_worked_on() -> None:
    guard_quorum(stage(["n2"]), [cluster(3, {"n0", "n1"})])


def test_a_cluster_without_quorum_has_none_to_lose() -> None:
    guard_quorum(stage(["n0"]), [cluster(3, {"n0"})])


def resting(up: str, away: str, size: int = 3) -> Cluster:
    names = frozenset(NAMES[:size])
    return Cluster("k3s", names, frozenset(up.split()), resting=frozenset(away.split()))


def test_one_in_maintenance_that_runs_is_in_the_quorum_that_there_is_to_lose() -> None:
    """Two of three are up, one of them in maintenance: to stop the other ends the quorum."""
    with pytest.raises(QuorumError) as caught:
        guard_quorum(stage(["n0"]), [resting("n0 n1", "n1")])
    assert "would keep 0 of 3 members; it needs 2" in str(caught.value)
    assert "bring back n2 first; wait for the maintenance of n1 to end" in str(caught.value)
    guard_quorum(stage(["n2"]), [resting("n0 n1", "n1")])


@given(st.integers(1, 9), st.data())
def test_no_maintenance_lets_a_stage_pass_that_the_guard_refuses_without(
    size: int, data: st.DataObject
) -> None:
    members = st.sets(st.sampled_from(NAMES[:size]))
    up, able, away, stopping = (frozenset(data.draw(members)) for _ in range(4))
    without = Cluster("c", frozenset(NAMES[:size]), up, able=able & up)
    with_it = replace(without, resting=away)
    assert without.survives(stopping) or not with_it.survives(stopping)
    assert not without.unled(stopping) or with_it.unled(stopping)
    assert with_it.spare <= without.spare


def test_one_in_maintenance_is_not_spare_and_no_gate_waits_for_it() -> None:
    assert (resting("n0 n1 n2", "n1").spare, resting("n0 n1", "n1").spare) == (0, -1)
    found = Cluster("redis", frozenset(REDIS), frozenset(REDIS), resting=frozenset(REDIS[2:]))
    assert back_again(module(REDIS[:2]), found).reason(live()) is None
    assert back_again(module(REDIS[1:]), found).reason(live()) == "redis-01 not back in redis"


MODULES = {module.name: module for module in all_modules()}
THREE = frozenset({"n0", "n1", "n2"})
REDIS = ("redis-01", "redis-02", "redis-03")


def counted(up: int, able: int | None, members: int = 3) -> Cluster:
    names = [f"n{number}" for number in range(members)]
    ready = None if able is None else frozenset(names[:able])
    return Cluster("c", frozenset(names), frozenset(names[:up]), able=ready)


@pytest.mark.parametrize(
    ("up", "able", "spare"),
    [
        (3, None, 1),
        (2, None, 0),
        (1, None, -1),
        (0, None, -2),
        (3, 3, 1),
        (3, 2, 1),
        (3, 1, 0),
        (3, 0, 0),
        (2, 1, 0),
        (1, 1, -1),
        (1, 0, -1),
    ],
)
def test_a_member_is_spare_when_it_is_up_and_another_could_serve(
    up: int, able: int | None, spare: int
) -> None:
    assert counted(up, able).spare == spare


def test_of_five_two_are_spare_and_never_more_than_could_take_over() -> None:
    assert [counted(5, able, 5).spare for able in (None, 5, 3, 2, 1, 0)] == [2, 2, 2, 1, 0, 0]


def test_the_last_member_is_no_spare_where_a_module_needs_none_up() -> None:
    """One node that may be down (least_up=0): to stop it still takes the service away."""
    names = frozenset({"n0", "n1"})
    assert Cluster("c", names, frozenset({"n0"}), least=0).spare == 0
    assert Cluster("c", names, names, least=0).spare == 1


def test_a_cluster_is_well_until_something_says_otherwise() -> None:
    assert Cluster("c", THREE, THREE).well is True


def test_the_last_that_could_serve_is_not_stopped_also_of_two() -> None:
    for members in (2, 3):
        cluster = replace(counted(members, 1, members), least=1)
        assert cluster.unled(["n0"]) is True
        assert cluster.unled(["n1"]) is False
    assert counted(1, 1, 1).unled(["n0"]) is False, "it has no other one anyway"
    assert counted(3, None).unled(["n0"]) is False
    assert counted(3, 2).unled(["n0"]) is False
    assert counted(3, 2).unled(["n0", "n1"]) is True


def test_the_refusal_names_the_members_that_would_stop_and_no_other_host() -> None:
    with pytest.raises(QuorumError) as caught:
        guard_quorum(stage(["n0", "elsewhere"]), [counted(3, 1)])
    assert "would stop n0, and no other member of c could take over now" in str(caught.value)
    assert "kbz health c says why" in str(caught.value)


def test_what_a_stage_must_interrupt_is_left_out_and_the_next_cluster_is_still_asked() -> None:
    clusters = [replace(counted(3, 1), name="first"), replace(counted(3, 1), name="second")]
    interrupting = replace(stage(["n0"]), interrupts="first")
    guard_quorum(interrupting, clusters[:1])
    with pytest.raises(QuorumError) as caught:
        guard_quorum(interrupting, clusters)
    assert caught.value.where == "second"


def test_a_stage_takes_part_in_the_clusters_of_the_hosts_that_it_interrupts() -> None:
    asked = [MODULES[name] for name in ("base", "redis", "galera")]
    site = memory_site()
    assert [m.name for m in carried_by(stage(["redis-01"]), asked, site)] == ["redis"]
    assert carried_by(stage([], ["redis-01"]), asked, site) == ()
    without = [replace(MODULES["redis"], members_up=None)]
    assert carried_by(stage(["redis-01"]), without, site) == ()


def module(up: tuple[str, ...], *findings: Finding) -> Module:
    """Return Redis with these members up, and these findings."""
    return replace(
        MODULES["redis"],
        members_up=lambda live: frozenset(up),
        checks=lambda live: findings,
        able=None,
    )


def live() -> Live:
    return Live("redis", memory_site().members("redis"), {}, {}, frozenset())


GOOD = Finding("redis.node.answers", Level.OK, "answers", "redis-01")
WARNED = Finding("redis.replica.link", Level.WARN, "1 of 2 replicas", "redis-01")
BAD = Finding("redis.aof.enabled", Level.CRITICAL, "the append-only file: off", "redis-02")


@pytest.mark.parametrize(
    ("findings", "well"),
    [((), True), ((GOOD, WARNED), True), ((GOOD, BAD), False), ((BAD,), False)],
)
def test_a_cluster_is_well_when_no_check_is_critical(
    findings: tuple[Finding, ...], well: bool
) -> None:
    found = cluster_of(module(REDIS, *findings), live())
    assert (found.members, found.up, found.well) == (frozenset(REDIS), frozenset(REDIS), well)
    assert (found.name, found.able) == ("redis", None)


def test_whom_a_module_calls_able_and_a_voter_is_counted() -> None:
    asked = replace(
        module(REDIS), able=lambda live: frozenset({"redis-02"}), voters=lambda live: THREE
    )
    found = cluster_of(asked, live())
    assert (found.able, found.members) == (frozenset({"redis-02"}), THREE)
    assert cluster_of(replace(asked, members_up=None), live()).up == frozenset()


def test_the_gate_after_it_waits_for_each_member_that_was_there() -> None:
    before = cluster_of(module(REDIS), live())
    gate = back_again(module(REDIS[:1]), before)
    assert gate.reason(live()) == "redis-02, redis-03 not back in redis"
    assert (gate.name, gate.timeout) == ("redis is as before", BACK_TIMEOUT)
    assert 300 <= BACK_TIMEOUT <= 1200, "a server needs minutes for its boot, and no hour"
    assert back_again(module(REDIS), before).reason(live()) is None
    fewer = cluster_of(module(REDIS[:2]), live())
    assert back_again(module(REDIS), fewer).reason(live()) is None, "more than before is well too"


def test_the_gate_wants_it_as_well_as_before_and_no_better() -> None:
    sick = module(REDIS, BAD)
    well = cluster_of(module(REDIS), live())
    said = "redis.aof.enabled: the append-only file: off"
    assert back_again(sick, well).reason(live()) == said
    assert back_again(sick, cluster_of(sick, live())).reason(live()) is None


class TestFronts:
    def test_an_entry_is_asked_for_each_member_that_a_stage_disrupts(self) -> None:
        found = fronts_of(stage(["maria-02"], ["maria-01"]), all_modules(), memory_site())
        assert [(front.name, server.name) for front, server in found] == [("proxysql", "maria-02")]

    def test_other_hosts_have_no_such_entry(self) -> None:
        assert fronts_of(stage(["redis-01", "db-master-01"]), all_modules(), memory_site()) == ()
        assert fronts_of(stage([], ["maria-01"]), all_modules(), memory_site()) == ()


def test_what_others_stop_in_a_cluster_forbids_only_a_stage_that_stops_members_of_it() -> None:
    found = cluster(3, {"n0", "n1", "n2"})
    elsewhere = frozenset({"n0", "n1"})
    guard_quorum(stage(["n7"]), [found], elsewhere)
    with pytest.raises(QuorumError):
        guard_quorum(stage(["n2"]), [found], frozenset({"n1"}))

"""What the guard counts, whom a stage takes part in, and when a cluster is as before: for the guard's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.guard import (
    BACK_TIMEOUT,
    Cluster,
    QuorumError,
    back_again,
    carried_by,
    cluster_of,
    guard_quorum,
)
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.site.module import Module
from tests.unit.engine.change.test_guard import stage
from tests.unit.support.site_values import memory_site

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

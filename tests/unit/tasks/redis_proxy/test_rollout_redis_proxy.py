"""The rollout of the entry to Redis: one host at a time, proven by a write, from any mixture of damages."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.finding import Level
from tasks.redis_proxy import MODULE
from tasks.redis_proxy.members import CFG, CONTAINER, WATCHER_UNIT
from tasks.redis_proxy.values import WATCHER
from tests.unit.tasks.redis_proxy.redis_proxy_world import (
    HOSTS,
    MASTER,
    OTHER,
    SENTINELS,
    World,
    roll,
)

RARELY = settings(max_examples=40, phases=(Phase.explicit, Phase.generate))
JSON = f"file:{WATCHER}/watcher.json"


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def test_a_first_install_proves_the_first_host_before_it_touches_the_second() -> None:
    world = World.empty()
    assert roll(world).word == "done"
    assert names(world) == ["directories and images", "change haproxy-01", "change haproxy-02"]


def test_files_come_before_the_programs_that_read_them() -> None:
    world = World.empty()
    roll(world)
    order = [change.identity for change in world.trail[1].changes]
    assert order.index(CFG) < order.index(CONTAINER)
    program = f"file:{WATCHER}/redis_watcher.py"
    assert max(order.index(JSON), order.index(program)) < order.index(WATCHER_UNIT)


def test_a_second_run_does_nothing() -> None:
    world = World.healthy()
    assert roll(world).word == "done"
    assert world.trail == []


def test_a_failover_is_no_drift_and_no_run_takes_it_back() -> None:
    """Who is master is no part of a description: once each run led back to redis-01."""
    world = World.healthy()
    world.named = dict.fromkeys(SENTINELS, OTHER)
    assert roll(world).word == "done"
    assert [stage.changes for stage in world.trail] == [()]
    assert {node.routes for node in world.nodes.values()} == {(OTHER,)}


def test_both_haproxies_are_never_restarted_together() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="haproxy:2.0 (old)")
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [{"haproxy-01"}, {"haproxy-02"}]


def test_a_host_that_does_not_serve_comes_first() -> None:
    world = World.healthy()
    world.damage("haproxy-01", CFG, digest="other")
    world.damage("haproxy-02", CONTAINER, running=False)
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02", "change haproxy-01"]


def test_the_last_serving_host_is_not_interrupted_while_the_other_is_away() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    world.damage("haproxy-01", CONTAINER, image="haproxy:2.0 (old)")
    end = roll(world)
    assert end.word == "refused"
    assert "bring back haproxy-02 first" in end.why
    assert world.trail == []


def test_old_entries_are_replaced_one_after_the_other_and_never_the_last_that_serves() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="haproxy:2.0 (old)")
        world.nodes[host].old = True
    world.nodes["haproxy-02"].reachable = False
    end = roll(world)
    assert (end.word, world.trail) == ("refused", [])
    assert "bring back haproxy-02 first" in end.why
    world.nodes["haproxy-02"].reachable = True
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [{"haproxy-01"}, {"haproxy-02"}]


def test_a_host_whose_write_is_refused_stops_the_roll() -> None:
    world = World.empty()
    world.nodes["haproxy-01"].refuses = "WRONGPASS invalid pair"
    end = roll(world)
    assert end.word == "gate"
    assert "WRONGPASS" in end.why
    assert names(world) == ["directories and images", "change haproxy-01"]


def test_sentinels_that_disagree_stop_the_roll_before_anything_is_changed() -> None:
    world = World.healthy()
    world.named["redis-03"] = OTHER
    world.damage("haproxy-01", CFG, digest="other")
    end = roll(world)
    assert end.word == "gate"
    assert f"the Sentinels name {MASTER} and {OTHER}" in end.why
    assert world.trail == []


def test_a_stopped_watcher_is_started_and_nobody_is_interrupted() -> None:
    world = World.healthy()
    world.damage("haproxy-02", WATCHER_UNIT, running=False)
    world.nodes["haproxy-02"].age = 100
    assert roll(world).word == "done"
    assert [c.identity for stage in world.trail for c in stage.changes] == [WATCHER_UNIT]
    assert disrupted(world.trail[0]) == frozenset()


def test_two_hosts_that_lead_nowhere_do_not_wait_for_each_other() -> None:
    """Both take sessions, but without their watchers nobody says where to."""
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, WATCHER_UNIT, running=False)
        world.nodes[host].routes, world.nodes[host].age = (), 100
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-01", "change haproxy-02"]


def test_a_host_that_is_down_comes_before_one_that_leads_astray() -> None:
    """The other way round the guard would refuse to stop the last one that takes sessions."""
    world = World.healthy()
    world.damage("haproxy-01", CONTAINER, image="haproxy:2.0 (old)")
    world.damage("haproxy-02", CONTAINER)
    world.nodes["haproxy-01"].routes = (OTHER,)
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02", "change haproxy-01"]


def test_a_load_balancer_that_does_not_answer_holds_up_nothing() -> None:
    world = World.empty()
    world.balancer = "timed out"
    assert roll(world).word == "done"
    found = {f.level for f in MODULE.checks(world.live()) if f.check == "redis-proxy.balancer"}
    assert found == {Level.WARN}


DAMAGES = ("cfg", "json", "container", "stopped", "old", "unit", "dead", "away", "astray", "nobody")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return any mixture of damages on both hosts."""
    world = draw(st.sampled_from([World.healthy, World.empty]))()
    for host in HOSTS:
        for damage in draw(st.sets(st.sampled_from(DAMAGES), max_size=4)):
            hurt(world, host, damage)
    return world


def hurt(world: World, host: str, damage: str) -> None:
    node = world.nodes[host]
    runs, unit = node.runs(CONTAINER), node.runs(WATCHER_UNIT)
    match damage:
        case "cfg" | "json" if node.states[CFG].present:
            world.damage(host, {"cfg": CFG, "json": JSON}[damage], digest="other")
        case "container":
            world.damage(host, CONTAINER)
        case "stopped" if runs:
            world.damage(host, CONTAINER, running=False)
        case "old" if runs:
            world.damage(host, CONTAINER, image="haproxy:2.0 (old)")
        case "unit":
            world.damage(host, WATCHER_UNIT)
        case "dead" if unit:
            world.damage(host, WATCHER_UNIT, running=False)
            node.age = 100
        case "away":
            node.reachable = False
        case "astray" if runs:
            node.routes = (OTHER,)
        case "nobody" if runs:
            node.routes = ()


@RARELY
@given(worlds())
def test_a_whole_run_over_reachable_hosts_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable = True
    assert roll(world).word == "done"
    assert [finding for finding in MODULE.checks(world.live()) if finding.level > Level.OK] == []


@RARELY
@given(worlds(), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_any_run_ends_and_says_no_only_with_a_reason(world: World, selected: set[str]) -> None:
    end = roll(world, sorted(selected))
    assert len(world.trail) <= 4
    assert {c.host for stage in world.trail for c in stage.changes} <= selected
    if end.word == "done":
        assert list(world.live(selected).changes()) == []
    else:
        assert end.why


@pytest.mark.parametrize("host", HOSTS)
def test_limit_to_one_host_touches_only_that(host: str) -> None:
    world = World.healthy()
    for name in HOSTS:
        world.damage(name, JSON, digest="other")
    assert roll(world, [host]).word == "done"
    assert names(world) == [f"change {host}"]

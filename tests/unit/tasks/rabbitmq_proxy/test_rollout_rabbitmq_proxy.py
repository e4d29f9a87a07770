"""The rollout of the entry to RabbitMQ: one host at a time, proven by a login, from any mixture of damages."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.finding import Level
from tasks.rabbitmq_proxy import MODULE
from tasks.rabbitmq_proxy.members import CFG, CONTAINER
from tests.unit.tasks.rabbitmq_proxy.rabbitmq_proxy_world import HOSTS, World, roll

RARELY = settings(max_examples=60, phases=(Phase.explicit, Phase.generate))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def test_a_first_install_proves_the_first_host_before_it_touches_the_second() -> None:
    world = World.empty()
    assert MODULE.virgin is not None
    assert MODULE.virgin(world.live())
    assert roll(world).word == "done"
    assert names(world) == ["directories and images", "change haproxy-01", "change haproxy-02"]
    order = [change.identity for change in world.trail[1].changes]
    assert order.index(CFG) < order.index(CONTAINER)
    assert all(stage.after is not None for stage in world.trail[1:])
    assert not MODULE.virgin(world.live())


def test_a_second_run_does_nothing() -> None:
    world = World.healthy()
    assert roll(world).word == "done"
    assert world.trail == []


def test_both_are_never_restarted_together() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="haproxy:2.0 (old)")
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [{"haproxy-01"}, {"haproxy-02"}]


def test_a_changed_file_is_a_reload_and_interrupts_nobody() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02"]
    assert disrupted(world.trail[0]) == frozenset()


def test_a_reload_that_leaves_the_old_configuration_at_work_stops_the_roll() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CFG, digest="other")
        world.nodes[host].mark, world.nodes[host].reloads = "kbz-before", False
    end = roll(world)
    assert end.word == "gate"
    assert "haproxy-01: HAProxy runs kbz-before" in end.why
    assert names(world) == ["change haproxy-01"]


def test_a_host_that_does_not_serve_comes_first() -> None:
    world = World.healthy()
    world.damage("haproxy-01", CONTAINER, image="haproxy:2.0 (old)")
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


@pytest.mark.parametrize(
    ("refuses", "cluster", "why"),
    [
        ("ACCESS_REFUSED", "keybuzz-queue", "the application does not get in: ACCESS_REFUSED"),
        ("", "rabbit@old", "it leads to the cluster rabbit@old"),
    ],
)
def test_a_host_that_does_not_lead_to_the_cluster_stops_the_roll(
    refuses: str, cluster: str, why: str
) -> None:
    world = World.empty()
    world.nodes["haproxy-01"].refuses, world.nodes["haproxy-01"].cluster = refuses, cluster
    end = roll(world)
    assert end.word == "gate"
    assert why in end.why
    assert names(world) == ["directories and images", "change haproxy-01"]


def test_a_load_balancer_that_does_not_answer_holds_up_nothing() -> None:
    world = World.empty()
    world.balancer = "timed out"
    assert roll(world).word == "done"
    levels = {f.level for f in MODULE.checks(world.live()) if f.check == "rabbitmq-proxy.balancer"}
    assert levels == {Level.WARN}


def test_hosts_with_different_files_are_told() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    [found] = [f for f in MODULE.checks(world.live()) if f.check == "rabbitmq-proxy.parity"]
    assert found.level is Level.CRITICAL


def test_hosts_on_their_way_are_waited_for() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].settled = False
    assert roll(world).word == "done"
    assert names(world) == ["wait"]


@pytest.mark.parametrize("host", HOSTS)
def test_limit_to_one_host_touches_only_that(host: str) -> None:
    world = World.healthy()
    for name in HOSTS:
        world.damage(name, CFG, digest="other")
    assert roll(world, [host]).word == "done"
    assert names(world) == [f"change {host}"]


DAMAGES = ("cfg", "gone", "stopped", "old", "away", "unsettled", "refuses")


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
    if damage == "cfg" and node.states[CFG].present:
        world.damage(host, CFG, digest="other")
    elif damage == "gone":
        world.damage(host, CONTAINER)
    elif damage == "stopped" and node.runs:
        world.damage(host, CONTAINER, running=False)
    elif damage == "old" and node.runs:
        world.damage(host, CONTAINER, image="haproxy:2.0 (old)")
    elif damage == "away":
        node.reachable = False
    elif damage == "unsettled":
        node.settled = False
    elif damage == "refuses":
        node.refuses = "ACCESS_REFUSED"


@RARELY
@given(worlds())
def test_a_whole_run_over_hosts_that_let_us_in_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable, node.refuses = True, ""
    assert roll(world).word == "done"
    live = world.live()
    assert list(live.changes()) == []
    assert [finding for finding in MODULE.checks(live) if finding.level > Level.OK] == []


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

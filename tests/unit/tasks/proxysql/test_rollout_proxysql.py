"""The rollout of the entry to MariaDB: one host at a time, from any mixture of damages."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from tasks.proxysql import MODULE
from tasks.proxysql.members import virgin
from tests.unit.tasks.proxysql.proxysql_world import (
    CNF,
    CONTAINER,
    HOSTS,
    MONITOR,
    USERS,
    World,
    roll,
)

RARELY = settings(max_examples=60, phases=(Phase.explicit, Phase.generate))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def test_a_first_install_leaves_out_neither_host() -> None:
    world = World.empty()
    assert roll(world).word == "done"
    assert names(world) == [
        "directories and images",
        "change proxysql-01",
        "change proxysql-02",
        "wait",
    ]
    assert {change.identity for change in world.trail[1].changes} == {CNF, CONTAINER}


def test_a_second_run_does_nothing() -> None:
    world = World.healthy()
    assert roll(world).word == "done"
    assert world.trail == []


def test_a_data_directory_of_before_is_compared_and_told_through_the_admin_port() -> None:
    """The file counts for nothing then: what differs is written before anything is proven."""
    world = World.healthy()
    world.damage("proxysql-02", CONTAINER)
    world.damage("proxysql-02", USERS, memory=())
    assert roll(world).word == "done"
    assert names(world) == ["change proxysql-02", "change proxysql-02"]
    assert [c.identity for c in world.trail[1].changes] == [USERS]


def test_both_are_never_restarted_together() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="proxysql/proxysql:2.5.0 (old)")
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [{"proxysql-01"}, {"proxysql-02"}]


def test_the_last_serving_host_is_not_interrupted_while_the_other_is_away() -> None:
    world = World.healthy()
    world.nodes["proxysql-02"].reachable = False
    world.damage("proxysql-01", CONTAINER, image="proxysql/proxysql:2.5.0 (old)")
    end = roll(world)
    assert end.word == "refused"
    assert "proxysql-02" in end.why
    assert world.trail == []


def test_a_host_that_refuses_the_application_is_repaired_before_the_other_is_interrupted() -> None:
    """Found by the test of all mixtures: the run waited for the other to be good, and never made it so."""
    world = World.healthy()
    world.damage("proxysql-01", CONTAINER, image="proxysql/proxysql:2.5.0 (old)")
    world.damage("proxysql-02", USERS, runtime=())
    assert roll(world).word == "done"
    assert names(world) == ["change proxysql-02", "change proxysql-01"]
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="proxysql/proxysql:2.5.0 (old)")
        world.damage(host, USERS, runtime=())
    assert roll(world).word == "done"


def test_configuration_interrupts_nobody() -> None:
    world = World.healthy()
    world.damage("proxysql-01", MONITOR, disk=())
    world.damage("proxysql-01", CNF, digest="other")
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [frozenset()]


def test_a_host_that_is_not_good_after_its_change_stops_the_roll() -> None:
    world = World.empty()
    world.writer = ""
    end = roll(world)
    assert end.word == "gate"
    assert "0 writers" in end.why or "Access denied" in end.why


def test_a_load_balancer_that_does_not_answer_holds_up_nothing() -> None:
    world = World.empty()
    world.balancer = "timed out"
    assert roll(world).word == "done"


def test_only_bare_hosts_are_virgin() -> None:
    assert virgin(World.empty().live())
    world = World.empty()
    world.nodes["proxysql-02"].reachable = False
    assert not virgin(world.live())
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER)
    assert not virgin(world.live()), "proxysql.db is there"


DAMAGES = (CNF, USERS, MONITOR, "gone", "stopped", "old", "away", "unsettled")


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
    if damage == CNF and node.states[CNF].present:
        world.damage(host, CNF, digest="other")
    elif damage in (USERS, MONITOR) and node.states[damage].present:
        world.damage(host, damage, runtime=())
    elif damage == "gone":
        world.damage(host, CONTAINER)
    elif damage == "stopped" and node.runs:
        world.damage(host, CONTAINER, running=False)
    elif damage == "old" and node.runs:
        world.damage(host, CONTAINER, image="proxysql/proxysql:2.5.0 (old)")
    elif damage == "away":
        node.reachable = False
    elif damage == "unsettled":
        node.settled = False


@RARELY
@given(worlds())
def test_a_whole_run_over_reachable_hosts_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable = True
    assert roll(world).word == "done"
    live = world.live()
    assert list(live.changes()) == []
    assert [finding for finding in MODULE.checks(live) if finding.level > Level.OK] == []


@RARELY
@given(worlds(), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_any_run_ends_and_says_no_only_with_a_reason(world: World, selected: set[str]) -> None:
    end = roll(world, sorted(selected))
    assert len(world.trail) <= 8
    assert {c.host for stage in world.trail for c in stage.changes} <= selected
    assert end.word == "done" or end.why


def test_an_administrator_of_others_is_refused_before_anything_changes() -> None:
    world = World.healthy()
    world.damage("proxysql-01", CONTAINER, image="proxysql/proxysql:latest")
    world.nodes["proxysql-01"].denied = "ERROR 1045 (28000): ProxySQL Error: Access denied"
    with pytest.raises(RefusedError) as caught:
        MODULE.foreign(world.live())
    assert caught.value.where == "proxysql-01"
    assert "does not let the administrator of proxysql.env in" in caught.value.what
    assert "kbz adopt proxysql --take-credentials" in caught.value.hint
    with pytest.raises(RefusedError):
        MODULE.next_stage(world.live())
    MODULE.foreign(world.live(("proxysql-02",)))


def test_two_hosts_whose_admin_port_needs_their_own_restart_do_not_wait_for_each_other() -> None:
    """Both of an old deployment listen on every address, and only another container ends that."""
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONTAINER, image="proxysql/proxysql:latest")
        world.nodes[host].admin_on = "0.0.0.0"
    stage = MODULE.next_stage(world.live())
    assert stage is not None
    assert stage.before is not None
    assert stage.before.reason(world.live()) is None

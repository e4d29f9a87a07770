"""The Patroni rollout in a small world: every life of a cluster, and every mixture of damages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import Action, State
from tasks.patroni import MODULE
from tasks.patroni.members import leader, up, virgin
from tests.unit.tasks.patroni.cluster_world import CONTAINER, World, damaged, descriptions_of, roll

YML = "file:/opt/keybuzz/patroni/config/patroni.yml"
IMAGE = next(i for i in World.empty(3).nodes["db-1"].states if i.startswith("image:"))
VECTOR = "postgres-extension:keybuzz/vector"
THREE = ("db-1", "db-2", "db-3")
RARELY = settings(max_examples=60, phases=(Phase.explicit, Phase.generate))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def outdate(world: World, *hosts: str) -> None:
    """Let containers run another image than the described one."""
    for host in hosts:
        world.nodes[host].states = damaged(world.nodes[host].states, CONTAINER, image="old:1.0")


def stop(world: World, *hosts: str) -> None:
    for host in hosts:
        world.nodes[host].states = damaged(world.nodes[host].states, CONTAINER, running=False)
    world.elect()


def lose(world: World, *hosts: str) -> None:
    """Cut hosts off: their containers are away for the others too."""
    stop(world, *hosts)
    for host in hosts:
        world.nodes[host].reachable = False


def test_a_first_install_prepares_all_starts_together_and_fills_the_cluster() -> None:
    world = World.empty(3)
    assert virgin(world.live())
    assert roll(world).word == "done"
    assert names(world) == ["prepare", "start together", "roles, database and extensions"]
    prepare, start, inside = world.trail
    assert set(prepare.hosts) == set(start.hosts) == set(THREE)
    assert {change.identity for change in start.changes} == {CONTAINER}
    assert inside.hosts == (world.leader,)
    assert inside.before is not None
    assert VECTOR in {change.identity for change in inside.changes}


def test_files_come_after_their_directories_and_the_validating_image() -> None:
    world = World.empty(3)
    stage = MODULE.next_stage(world.live())
    assert stage is not None
    order = [change.identity for change in stage.of("db-1")]
    assert order.index("directory:/opt/keybuzz/patroni/config") < order.index(YML)
    assert order.index(IMAGE) < order.index(YML)


def test_a_second_run_does_nothing() -> None:
    world = World.empty(3)
    roll(world)
    world.trail.clear()
    assert roll(world).word == "done"
    assert world.trail == []


def test_a_new_image_goes_to_replicas_first_and_to_the_leader_after_a_hand_over() -> None:
    world = World.healthy(3, leader="db-2")
    outdate(world, *THREE)
    assert roll(world).word == "done"
    assert names(world) == [
        "replace db-1",
        "replace db-3",
        "hand over from db-2",
        "replace db-2",
    ]
    assert world.leader != "db-2"
    hand_over = world.trail[2]
    assert [change.identity for change in hand_over.changes] == ["patroni-leader:db-2"]
    assert disrupted(hand_over) == frozenset()
    for stage in world.trail:
        assert stage.before is not None
        assert stage.after is not None


def test_only_the_leader_differs_and_it_still_hands_over_first() -> None:
    world = World.healthy(3)
    outdate(world, "db-1")
    assert roll(world, ["db-1"]).word == "done"
    assert names(world) == ["hand over from db-1", "replace db-1"]


def test_a_stopped_member_is_started_before_a_running_one_is_replaced() -> None:
    world = World.healthy(3)
    stop(world, "db-3")
    outdate(world, "db-2")
    assert roll(world).word == "done"
    assert names(world) == ["start", "replace db-2"]


def test_stopped_members_are_started_together_because_raft_needs_two() -> None:
    world = World.healthy(3)
    stop(world, *THREE)
    assert world.leader is None
    assert roll(world).word == "done"
    assert names(world) == ["start together"]


def test_a_stage_that_waits_for_a_member_on_its_way_changes_nothing() -> None:
    world = World.healthy(3)
    world.nodes["db-3"].settled = False
    assert roll(world).word == "done"
    assert names(world) == ["wait"]
    assert world.trail[0].changes == ()
    assert world.trail[0].after is not None


def test_a_changed_file_is_only_told_to_the_running_container() -> None:
    world = World.healthy(3)
    for node in world.nodes.values():
        node.states = damaged(node.states, YML, digest="other")
    assert roll(world).word == "done"
    assert names(world) == ["prepare"]
    assert disrupted(world.trail[0]) == frozenset()


def test_what_is_inside_is_mended_on_the_leader_alone() -> None:
    world = World.healthy(3, leader="db-3")
    world.inside = damaged(world.inside, VECTOR)
    assert roll(world).word == "done"
    assert names(world) == ["roles, database and extensions"]
    assert world.trail[0].hosts == ("db-3",)


@pytest.mark.parametrize("missing", THREE)
def test_a_first_start_with_a_member_out_of_sight_is_refused(missing: str) -> None:
    world = World.empty(3)
    lose(world, missing)
    end = roll(world)
    assert end.word == "refused"
    assert f"a first start needs all 3 members; {missing} cannot be read" in end.why
    assert world.running == []
    assert "start" not in " ".join(names(world))


@pytest.mark.parametrize("limit", [["db-1"], ["db-2", "db-3"]])
def test_a_first_start_of_a_part_is_refused(limit: list[str]) -> None:
    world = World.empty(3)
    end = roll(world, limit)
    assert end.word == "refused"
    assert "--limit leaves out " in end.why
    assert "kbz run patroni --limit db" in end.why
    assert world.running == []


def test_a_virgin_is_proven_by_every_member_and_never_assumed() -> None:
    world = World.empty(3)
    assert virgin(world.live())
    world.nodes["db-2"].data = True
    assert not virgin(world.live())
    world.nodes["db-2"].data = False
    world.nodes["db-2"].reachable = False
    assert not virgin(world.live())
    live = World.empty(3).live()
    hosts = {host: replace(view, answers={}) for host, view in live.hosts.items()}
    assert not virgin(replace(live, hosts=hosts))


def test_two_stopped_members_with_data_start_though_the_third_is_away() -> None:
    world = World.healthy(3)
    stop(world, *THREE)
    lose(world, "db-3")
    assert roll(world).word == "done"
    assert names(world) == ["start together"]
    assert sorted(world.running) == ["db-1", "db-2"]


def test_members_with_data_start_before_an_empty_one() -> None:
    world = World.healthy(3)
    stop(world, *THREE)
    world.nodes["db-3"] = World.empty(3).nodes["db-3"]
    assert roll(world).word == "done"
    assert names(world) == ["prepare", "start together", "start"]
    assert [change.host for change in world.trail[1].changes] == ["db-1", "db-2"]
    assert [change.host for change in world.trail[2].changes] == ["db-3"]


@pytest.mark.parametrize("limit", [None, ["db-2", "db-3"], ["db-1"]])
def test_two_empty_members_never_found_a_second_cluster(limit: list[str] | None) -> None:
    """db-1 holds the data and is stopped; the other two were reinstalled, and are a majority of RAFT."""
    world = World.healthy(3)
    stop(world, *THREE)
    for host in ("db-2", "db-3"):
        world.nodes[host] = World.empty(3).nodes[host]
    end = roll(world, limit)
    assert end.word == "refused"
    assert "db-1" in end.why
    assert "empty ones must not start first" in end.why
    assert world.running == []


def test_a_running_member_with_a_wrong_setting_is_replaced_though_it_is_not_well() -> None:
    world = World.healthy(3)
    world.nodes["db-3"].states = damaged(world.nodes["db-3"].states, CONTAINER, command=("sleep",))
    world.nodes["db-3"].settled = False
    assert roll(world).word == "done"
    assert names(world)[0] == "replace db-3"


def test_a_new_member_joins_a_living_cluster() -> None:
    world = World.healthy(3)
    world.nodes["db-3"] = World.empty(3).nodes["db-3"]
    world.elect()
    assert roll(world, ["db-3"]).word == "done"
    assert names(world) == ["prepare", "start"]
    assert world.leader == "db-1"


@pytest.mark.parametrize("limit", [["db-2"], None])
def test_an_old_raft_log_without_data_is_refused(limit: list[str] | None) -> None:
    world = World.healthy(3)
    bare = World.empty(3).nodes["db-2"]
    bare.votes = True
    world.nodes["db-2"] = bare
    end = roll(world, limit)
    assert end.word == "refused"
    assert "holds the RAFT log of an earlier life" in end.why
    assert world.trail == []
    bare.votes = False
    assert roll(world, limit).word == "done"


def test_replacing_a_member_while_another_is_away_is_refused_by_the_guard() -> None:
    world = World.healthy(3)
    lose(world, "db-3")
    outdate(world, "db-2")
    end = roll(world)
    assert end.word == "refused"
    assert "it needs 2" in end.why
    assert "bring back db-3 first" in end.why


@pytest.mark.parametrize(
    ("attributes", "said", "way"),
    [
        ({"scope": "other-pg"}, "scope is other-pg, described as keybuzz-pg", "adopt it"),
        ({"postgres_major": "17"}, "postgres_major is 17, described as 16", "adopt it"),
        # Rolled, its first member would have founded a second cluster under the other name.
        ({"namespace": "/service/"}, "namespace is /service/, described as /db/", "stop the whole"),
        ({"raft_port": 5010}, "raft_port is 5010, described as 7000", "stop the whole"),
    ],
)
def test_a_foreign_cluster_is_never_touched(
    attributes: dict[str, str | int], said: str, way: str
) -> None:
    world = World.healthy(3)
    world.nodes["db-2"].states = damaged(
        world.nodes["db-2"].states, "patroni-identity:cluster", **attributes
    )
    outdate(world, *THREE)
    end = roll(world)
    assert end.word == "refused"
    assert said in end.why
    assert way in end.why
    assert world.trail == []
    with pytest.raises(RefusedError, match=said):
        MODULE.foreign(world.live())


def test_an_identity_that_can_not_be_read_is_refused_with_its_reason() -> None:
    world = World.healthy(3)
    identity = "patroni-identity:cluster"
    state = State(identity, False, problem="Permission denied: PG_VERSION")
    world.nodes["db-2"].states = {**world.nodes["db-2"].states, identity: state}
    with pytest.raises(RefusedError, match="Permission denied: PG_VERSION"):
        MODULE.next_stage(world.live())


def test_changes_inside_wait_until_somebody_leads() -> None:
    live = World.empty(3).live()
    inside = [c for c in live.changes() if c.identity.startswith("postgres-")]
    assert inside
    assert {change.action for change in inside} == {Action.LATER}
    assert leader(live) is None
    assert up(live) == frozenset()


def test_the_description_of_a_member_says_who_reads_and_who_writes() -> None:
    for host, found in descriptions_of(3).items():
        readings = {reading.name for reading in found.modules["patroni"].readings}
        assert readings == {
            "patroni.self",
            "patroni.cluster",
            "patroni.config",
            "patroni.server",
            "patroni.data",
            "patroni.raft",
        }, host


DAMAGES = ("yml", "image", "directory", "outdated", "stopped", "absent", "starting", "away")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a cluster of 3 or 5 with any mixture of damages; often nothing was ever installed."""
    size = draw(st.sampled_from([3, 3, 5]))
    hosts = [f"db-{number}" for number in range(1, size + 1)]
    world = World.healthy(size, draw(st.sampled_from(hosts)))
    if draw(st.integers(0, 3)) == 0:
        world = World.empty(size)
    for host in hosts:
        for damage in draw(st.sets(st.sampled_from(DAMAGES), max_size=2)):
            hurt(world, host, damage)
    for identity in draw(st.sets(st.sampled_from(sorted(world.inside)))):
        world.inside = damaged(world.inside, identity)
    world.elect()
    return world


def hurt(world: World, host: str, damage: str) -> None:
    node = world.nodes[host]
    states = node.states
    match damage:
        case "yml":
            node.states = damaged(states, YML)
        case "image":
            node.states = damaged(states, IMAGE)
        case "directory":
            node.states = damaged(states, "directory:/opt/keybuzz/postgres/raft", owner=0)
        case "outdated" if states[CONTAINER].present:
            node.states = damaged(states, CONTAINER, image="old:1.0")
        case "stopped" if states[CONTAINER].present:
            node.states = damaged(states, CONTAINER, running=False)
        case "absent":
            node.states = damaged(states, CONTAINER)
        case "starting":
            node.settled = False
        case "away":
            lose(world, host)


@RARELY
@given(worlds())
def test_a_whole_run_over_reachable_hosts_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable = True
    assert roll(world).word == "done"
    assert sorted(world.running) == sorted(world.nodes)
    assert world.leader is not None
    live = world.live()
    assert list(live.changes()) == []
    assert [finding for finding in MODULE.checks(live) if not finding.good] == []


@RARELY
@given(worlds(), st.data())
def test_any_run_ends_and_says_no_only_with_a_reason(world: World, data: st.DataObject) -> None:
    hosts = sorted(world.nodes)
    chosen = data.draw(st.sets(st.sampled_from(hosts), min_size=1))
    had_data = {host for host, node in world.nodes.items() if node.data}
    leading = world.leader
    end = roll(world, chosen)
    assert len(world.trail) <= 4 + 2 * len(hosts)
    assert had_data <= {host for host, node in world.nodes.items() if node.data}
    if leading is not None:
        assert world.leader is not None, "a cluster that led has lost its leader"
    if end.word == "done":
        live = world.live(chosen)
        assert list(live.changes()) == []
    else:
        absent = [h for h in hosts if not world.nodes[h].reachable or h not in world.running]
        assert absent, f"{end} although every member is reachable and runs"
        assert end.why


def test_a_member_on_its_way_is_waited_for_before_another_is_replaced() -> None:
    """A run that was cut off right after a replacement goes on by itself."""
    world = World.healthy(3)
    world.nodes["db-2"].settled = False
    outdate(world, "db-3")
    assert roll(world).word == "done"
    assert names(world) == ["wait", "replace db-3"]

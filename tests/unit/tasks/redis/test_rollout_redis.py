"""The Redis rollout in a small world: every life of a cluster, and every mixture of damages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.plan import Action, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from tasks.redis import MODULE
from tasks.redis.master.truth import master_host
from tasks.redis.members import RUNTIME, SENTINEL_RUNTIME, unborn, up, virgin
from tasks.redis.rollout import release
from tasks.redis.service.resources import RedisRuntime, SentinelMonitor, SentinelRuntime
from tests.unit.tasks.patroni.cluster_world import damaged
from tests.unit.tasks.redis.redis_world import (
    DATA,
    HOSTS,
    MONITOR,
    REDIS_CONTAINER,
    SENTINEL_CONTAINER,
    SETTINGS,
    World,
    address,
    descriptions,
    roll,
)

CONF = "file:/opt/keybuzz/redis/conf/redis.conf"
RARELY = settings(max_examples=80, phases=(Phase.explicit, Phase.generate))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def hurt(world: World, identity: str, *hosts: str, **attributes: object) -> None:
    for host in hosts:
        world.nodes[host].states = damaged(world.nodes[host].states, identity, **attributes)


def stop(world: World, *hosts: str, container: str = REDIS_CONTAINER) -> None:
    hurt(world, container, *hosts, running=False)
    world.elect()


def lose(world: World, *hosts: str) -> None:
    """Cut hosts off: for the others their daemons are away too."""
    for container in (REDIS_CONTAINER, SENTINEL_CONTAINER):
        hurt(world, container, *hosts, running=False)
    for host in hosts:
        world.nodes[host].reachable = False
    world.elect()


def outdate(world: World, *hosts: str, container: str = REDIS_CONTAINER) -> None:
    hurt(world, container, *hosts, image="old:1.0")


class TestBirth:
    def test_a_first_install_prepares_all_and_starts_together(self) -> None:
        world = World.empty()
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert names(world) == ["prepare", "start together"]
        assert world.master == "redis-2"

    def test_the_birth_role_of_the_inventory_counts_on_virgin_ground_only(self) -> None:
        assert master_host(World.empty().live()) == "redis-2"
        assert master_host(World.healthy("redis-3").live()) == "redis-3"
        world = World.empty()
        world.nodes["redis-1"].data = True
        assert master_host(world.live()) is None

    def test_only_one_member_is_born_without_a_master_to_follow(self) -> None:
        stage = MODULE.next_stage(World.empty().live())
        assert stage is not None
        seeds = {c.host: c.resource for c in stage.changes if isinstance(c.resource, RedisRuntime)}
        told = {host: seed.follows for host, seed in seeds.items()}
        master = address("redis-2")
        assert told == {"redis-1": master, "redis-2": "", "redis-3": master}
        sentinels = [c.resource for c in stage.changes if isinstance(c.resource, SentinelRuntime)]
        assert [s.monitors for s in sentinels] == [master] * 3

    def test_a_second_run_does_nothing(self) -> None:
        world = World.empty()
        roll(world)
        world.trail.clear()
        assert roll(world).word == "done"
        assert world.trail == []

    @pytest.mark.parametrize("left", HOSTS)
    def test_a_first_start_of_a_part_is_refused(self, left: str) -> None:
        world = World.empty()
        end = roll(world, set(HOSTS) - {left})
        assert end.word == "refused"
        assert f"--limit leaves out {left}" in end.why
        assert world.trail == []

    @pytest.mark.parametrize("away", HOSTS)
    def test_a_first_start_with_a_member_out_of_sight_is_refused(self, away: str) -> None:
        world = World.empty()
        lose(world, away)
        end = roll(world)
        assert end.word == "refused"
        assert f"{away} cannot be read" in end.why
        assert world.trail == []

    def test_a_first_install_that_was_cut_off_goes_on(self) -> None:
        world = World.empty()
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        cut = replace(stage, changes=stage.of("redis-1") + stage.of("redis-2")[:9])
        world.apply(cut)
        assert unborn(world.live())
        assert not virgin(world.live())
        assert roll(world).word == "done"
        assert world.master == "redis-2"

    @pytest.mark.parametrize(
        "what", ["data", "legacy", "container", "sentinel", "away", "silent", "other"]
    )
    def test_virgin_is_proven_by_every_member_and_never_assumed(self, what: str) -> None:
        world = World.empty()
        node = world.nodes["redis-3"]
        match what:
            case "data":
                node.data = True
            case "legacy":
                node.legacy = ("sentinel.conf",)
            case "container":
                node.states[REDIS_CONTAINER] = State(REDIS_CONTAINER, True, {"running": False})
            case "sentinel":
                node.states[SENTINEL_RUNTIME] = State(SENTINEL_RUNTIME, True, {"monitors": "x"})
            case "away":
                node.reachable = False
        live = world.live()
        if what == "silent":
            view = live.hosts["redis-3"]
            live = replace(live, hosts={**live.hosts, "redis-3": replace(view, answers={})})
        if what == "other":  # under no name that we know
            view = live.hosts["redis-3"]
            other = Answer("redis.sentinel", {"denied": "", "replies": {"SENTINEL MASTERS": []}})
            answers = {**view.answers, "redis.sentinel": other}
            live = replace(live, hosts={**live.hosts, "redis-3": replace(view, answers=answers)})
        assert not virgin(live)
        assert virgin(World.empty().live())

    def test_data_that_nobody_can_account_for_is_refused(self) -> None:
        world = World.empty()
        world.nodes["redis-1"].data = True
        end = roll(world)
        assert end.word == "refused"
        assert "The owner decides whose data stays" in end.why
        assert world.trail == []


class TestNobodyIsPromoted:
    def test_a_rerun_after_a_failover_takes_nothing_back(self) -> None:
        """Legacy rewrote everything with redis-01 as master: a failover was undone, there were two masters."""
        world = World.healthy("redis-1")
        stop(world, "redis-1")
        new = world.master
        assert new != "redis-1"
        assert roll(world).word == "done"
        assert world.master == new
        assert world.nodes["redis-1"].follows == address(str(new))

    def test_an_old_master_is_started_as_a_replica(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-1")
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        runtime, container = stage.changes
        assert isinstance(runtime.resource, RedisRuntime)
        assert runtime.resource.follows == address(str(world.master))
        assert runtime.action is Action.UPDATE
        assert container.identity == REDIS_CONTAINER

    def test_no_container_argument_says_who_is_master(self) -> None:
        """Legacy had replicaof among docker's arguments, so that each restart took a failover back."""
        for host, found in descriptions().items():
            for item in found.modules["redis"].resources:
                if isinstance(item, Container):
                    assert item.environment == ()
                    words = " ".join(item.command)
                    assert "replicaof" not in words
                    assert "slaveof" not in words
                    assert not any(address(other) in words for other in HOSTS), host

    def test_a_master_is_not_started_while_too_few_can_tell_who_it_is(self) -> None:
        world = World.healthy("redis-1")
        lose(world, "redis-2", "redis-3")
        stop(world, "redis-1")
        stop(world, "redis-1", container=SENTINEL_CONTAINER)
        end = roll(world)
        assert end.word == "refused"
        assert "would start as master" in end.why
        assert world.running(REDIS_CONTAINER) == []

    def test_after_a_total_stop_the_same_master_comes_back(self) -> None:
        world = World.healthy("redis-3")
        for container in (REDIS_CONTAINER, SENTINEL_CONTAINER):
            hurt(world, container, *HOSTS, running=False)
        assert roll(world).word == "done"
        assert names(world) == ["start together"]
        assert world.master == "redis-3"

    def test_one_sentinel_that_claims_a_newer_epoch_decides_nothing(self) -> None:
        """It may make that up: the nodes, each by its own word, still follow the master that the others name."""
        world = World.healthy("redis-1")
        for host in ("redis-2", "redis-3"):
            hurt(world, SENTINEL_RUNTIME, host, monitors=address("redis-1"), epoch=2)
        hurt(world, SENTINEL_RUNTIME, "redis-1", monitors=address("redis-3"), epoch=9)
        assert master_host(world.live()) == "redis-1"

    def test_the_newest_epoch_outvotes_older_ones_when_the_nodes_agree(self) -> None:
        world = World.healthy("redis-3")
        for host in ("redis-2", "redis-3"):
            hurt(world, SENTINEL_RUNTIME, host, monitors=address("redis-1"), epoch=2)
        hurt(world, SENTINEL_RUNTIME, "redis-1", monitors=address("redis-3"), epoch=9)
        assert master_host(world.live()) == "redis-3"

    def test_without_sentinels_the_nodes_decide_by_majority(self) -> None:
        world = World.healthy("redis-3")
        hurt(world, SENTINEL_CONTAINER, *HOSTS)
        hurt(world, SENTINEL_RUNTIME, *HOSTS)
        assert master_host(world.live()) == "redis-3"
        assert roll(world).word == "done"
        assert world.master == "redis-3"

    def test_a_rebuilt_member_joins_as_a_replica_whatever_its_birth_role_was(self) -> None:
        world = World.healthy("redis-1")
        world.nodes["redis-2"] = World.empty().nodes["redis-2"]
        assert roll(world, ["redis-2"]).word == "done"
        assert names(world) == ["prepare", "start"]
        assert world.master == "redis-1"
        assert world.nodes["redis-2"].follows == address("redis-1")


class TestRoll:
    def test_a_new_image_goes_to_replicas_first_and_to_the_master_after_a_hand_over(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, *HOSTS)
        assert roll(world).word == "done"
        assert names(world) == [
            "replace redis on redis-2",
            "replace redis on redis-3",
            "hand over from redis-1",
            "replace redis on redis-1",
        ]
        assert world.master != "redis-1"
        assert disrupted(world.trail[2]) == frozenset()
        assert all(stage.before and stage.after for stage in world.trail)

    def test_a_sentinel_is_replaced_without_a_hand_over(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, *HOSTS, container=SENTINEL_CONTAINER)
        assert roll(world).word == "done"
        assert world.master == "redis-1"
        assert names(world) == [f"replace redis-sentinel on redis-{n}" for n in (2, 3, 1)]

    def test_settings_of_running_daemons_are_set_without_a_restart(self) -> None:
        world = World.healthy()
        hurt(world, SETTINGS, "redis-1", appendonly="no")
        hurt(world, MONITOR, "redis-3", quorum="3")
        assert roll(world).word == "done"
        assert names(world) == ["settings of the running daemons"]
        assert disrupted(world.trail[0]) == frozenset()

    def test_a_sentinel_with_another_name_for_the_master_is_told_the_right_one(self) -> None:
        world = World.healthy("redis-3")
        hurt(world, MONITOR, "redis-1")
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        (change,) = stage.changes
        assert isinstance(change.resource, SentinelMonitor)
        assert change.resource.address == address("redis-3")

    def test_a_changed_file_restarts_nothing(self) -> None:
        world = World.healthy()
        hurt(world, CONF, *HOSTS, digest="other")
        assert roll(world).word == "done"
        assert names(world) == ["prepare"]
        assert disrupted(world.trail[0]) == frozenset()

    def test_a_member_on_its_way_is_waited_for_before_another_is_replaced(self) -> None:
        world = World.healthy("redis-1")
        world.nodes["redis-2"].settled = False
        outdate(world, "redis-3")
        assert roll(world).word == "done"
        assert names(world) == ["wait", "replace redis on redis-3"]

    def test_replacing_a_member_while_another_is_away_is_refused_by_the_guard(self) -> None:
        world = World.healthy("redis-1")
        lose(world, "redis-3")
        outdate(world, "redis-2")
        end = roll(world)
        assert end.word == "refused"
        assert "it needs 2" in end.why
        assert "bring back redis-3 first" in end.why

    def test_another_module_gets_a_hand_over_before_it_interrupts_the_master(self) -> None:
        live = World.healthy("redis-1").live()
        stage = release(live, "redis-1")
        assert stage is not None
        assert [change.identity for change in stage.changes] == ["redis-master:redis-1"]
        assert release(live, "redis-2") is None


class TestForeign:
    def test_newer_data_is_never_given_to_the_frozen_image(self) -> None:
        world = World.healthy()
        hurt(world, DATA, "redis-2", loadable=False, newest=12)
        outdate(world, *HOSTS)
        end = roll(world)
        assert end.word == "refused"
        assert "the data is RDB 12" in end.why
        assert world.trail == []

    def test_another_password_is_refused_and_counts_as_up(self) -> None:
        world = World.healthy()
        world.nodes["redis-3"].denied = "WRONGPASS invalid username-password pair"
        hurt(world, CONF, *HOSTS, digest="other")
        end = roll(world)
        assert end.word == "refused"
        assert "does not take the password of redis.env (WRONGPASS)" in end.why
        assert world.trail == []
        assert up(world.live()) == set(HOSTS)


DAMAGES = ("conf", "owner", "outdated", "sentinel", "stopped", "silent", "setting", "starting")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a cluster with any mixture of damages, and any host as master."""
    world = World.healthy(draw(st.sampled_from(HOSTS)))
    for host in HOSTS:
        for damage in draw(st.sets(st.sampled_from(DAMAGES), max_size=3)):
            _damage(world, host, damage)
        if draw(st.integers(0, 6)) == 0:
            lose(world, host)
    if draw(st.booleans()):
        world.elect()
    return world


def _damage(world: World, host: str, damage: str) -> None:
    match damage:
        case "conf":
            hurt(world, CONF, host)
        case "owner":
            hurt(world, RUNTIME, host, owner=0)
        case "outdated":
            outdate(world, host)
        case "sentinel":
            outdate(world, host, container=SENTINEL_CONTAINER)
        case "stopped":
            stop(world, host)
        case "silent":
            stop(world, host, container=SENTINEL_CONTAINER)
        case "setting":
            hurt(world, SETTINGS, host, appendonly="no")
        case "starting":
            world.nodes[host].settled = False


@RARELY
@given(worlds())
def test_a_whole_run_over_reachable_hosts_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable = True
    end = roll(world)
    assert end.word == "done", end
    assert len(world.running(REDIS_CONTAINER)) == len(world.running(SENTINEL_CONTAINER)) == 3
    live = world.live()
    assert list(live.changes()) == []
    assert [finding for finding in MODULE.checks(live) if not finding.good] == []


@RARELY
@given(worlds(), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_any_run_ends_keeps_data_and_never_makes_a_second_master(
    world: World, chosen: set[str]
) -> None:
    """World.apply and World.elect assert that nobody starts as a second master."""
    end = roll(world, chosen)
    assert len(world.trail) <= 12
    assert all(node.data for node in world.nodes.values())
    if end.word == "done":
        assert list(world.live(chosen).changes()) == []
    else:
        assert end.why

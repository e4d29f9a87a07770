"""The stages and refusals of Redis' rollout, each for what it says, changes and waits for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.reading import Answer
from tasks.redis.members import PASSWORD, RUNTIME, SENTINEL_RUNTIME
from tasks.redis.rollout import HAND_OVER_TIMEOUT, START_TIMEOUT, next_stage, release
from tasks.redis.service.resources import RedisMaster, RedisRuntime, SentinelMonitor
from tests.unit.tasks.gates import told
from tests.unit.tasks.redis.redis_world import (
    DATA,
    HOSTS,
    MONITOR,
    REDIS_CONTAINER,
    SENTINEL_CONTAINER,
    SETTINGS,
    World,
    address,
)
from tests.unit.tasks.redis.test_rollout_redis import CONF, hurt, outdate, stop


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


def staged(live: Live) -> Stage:
    stage = next_stage(live)
    assert stage is not None
    return stage


def named(gate: Gate | None) -> str:
    assert gate is not None
    return gate.name


def differences(change: Change) -> list[tuple[str, object, object]]:
    return [(d.attribute, d.observed, d.wanted) for d in change.differences]


def silent(live: Live, host: str, *readings: str) -> Live:
    """Return what the engine sees when daemons of a host, whose containers run, say nothing."""
    view = live.hosts[host]
    mute = {name: Answer(name, problem="timed out") for name in readings or ("redis.node",)}
    view = replace(view, answers={**view.answers, **mute})
    return replace(live, hosts={**live.hosts, host: view})


def unsettled(world: World, *hosts: str) -> World:
    for host in hosts:
        world.nodes[host].settled = False
    return world


class TestForeign:
    def test_another_password_is_told_by_its_first_word(self) -> None:
        world = World.healthy()
        world.nodes["redis-3"].denied = " NOAUTH Authentication required."
        error = refused(world.live())
        assert error.what == "Redis does not take the password of redis.env (NOAUTH)"
        assert error.where == "redis-3"
        assert "kbz adopt redis --take-credentials" in error.hint
        assert staged(world.live(HOSTS[:2])).name == "wait", "that host is not this run's"

    def test_a_second_password_is_left_to_a_rotation(self) -> None:
        world = World.healthy()
        hurt(world, PASSWORD, "redis-2", taken=("another one", "ours"))
        error = refused(world.live())
        assert error.what == "Redis takes another password beside the one of redis.env"
        assert error.where == "redis-2"
        assert "kbz secrets rotate redis ends it" in error.hint

    @pytest.mark.parametrize("taken", [("ours", "the former one"), ("another one",)])
    def test_only_both_together_are_refused_by_it(self, taken: tuple[str, ...]) -> None:
        world = World.healthy()
        hurt(world, PASSWORD, "redis-2", taken=taken)
        assert staged(world.live()).name == "settings of the running daemons"

    @pytest.mark.parametrize(
        ("found", "way"),
        [
            (12, "put Redis 7.4 or later into versions.yaml as `redis`"),
            (99, "put the version that wrote it into versions.yaml as `redis`"),
            ("?", "put the version that wrote it into versions.yaml as `redis`"),
        ],
    )
    def test_newer_data_is_told_with_the_version_that_loads_it(self, found: Any, way: str) -> None:
        world = World.healthy()
        hurt(world, DATA, "redis-2", loadable=False, newest=found)
        error = refused(world.live())
        assert error.what == (
            f"the data is RDB {found}; 11 is the newest that the frozen image loads"
        )
        assert error.where == "redis-2"
        assert error.hint == f"{way}; data is never converted or removed"

    def test_data_that_cannot_be_read_is_told_with_the_reason(self) -> None:
        world = World.healthy()
        state = world.nodes["redis-2"].states[DATA]
        world.nodes["redis-2"].states[DATA] = replace(state, problem="Input/output error")
        assert refused(world.live()).what == "Input/output error"


class TestPrepare:
    def test_runtime_files_are_made_with_the_master_in_them(self) -> None:
        world = World.healthy("redis-1")
        hurt(world, RUNTIME, "redis-1", "redis-2")
        hurt(world, SENTINEL_RUNTIME, "redis-2")
        stage = staged(world.live())
        assert stage.name == "prepare"
        made = {(change.host, change.identity): differences(change)[-1] for change in stage.changes}
        master = address("redis-1")
        assert made == {
            ("redis-1", RUNTIME): ("follows", None, ""),
            ("redis-2", RUNTIME): ("follows", None, master),
            ("redis-2", SENTINEL_RUNTIME): ("monitors", None, master),
        }
        assert all(len(differences(change)) > 1 for change in stage.changes)

    def test_a_runtime_file_that_is_there_keeps_what_its_daemon_wrote(self) -> None:
        world = World.healthy("redis-1")
        hurt(world, RUNTIME, "redis-2", owner=0)
        [change] = staged(world.live()).changes
        assert change.action is Action.UPDATE
        assert [name for name, _, _ in differences(change)] == ["owner"]

    def test_why_the_master_is_asked_for_is_told(self) -> None:
        def told_of(*identities: str) -> str:
            world = World.healthy("redis-1")
            hurt(world, SENTINEL_RUNTIME, "redis-1", monitors="10.9.9.9", epoch=9)
            for host in HOSTS[1:]:
                hurt(world, SENTINEL_RUNTIME, host, monitors="10.9.9.9", epoch=9)
            for identity in identities:
                hurt(world, identity, "redis-3")
            return refused(world.live()).what

        assert told_of(RUNTIME).startswith("redis-3 needs a runtime file, and the master is")
        known = "the Sentinel of redis-3 knows no kb-redis-master, and the master is 10.9.9.9"
        assert told_of(MONITOR).startswith(known)


class TestStart:
    def test_two_containers_of_one_host_start(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-3", container=SENTINEL_CONTAINER)
        stop(world, "redis-3")
        stage = staged(world.live())
        assert stage.name == "start"
        assert {change.identity for change in stage.changes} == {
            REDIS_CONTAINER,
            SENTINEL_CONTAINER,
        }
        assert named(stage.after) == "one master, all others replicate, Sentinels agree"
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy("redis-1").live()) is None
        # Those that ran are waited for, too.
        other = unsettled(World.healthy("redis-1"), "redis-2")
        assert "redis-2" in str(told(stage.after, other.live()))

    def test_two_hosts_start_together(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-2", "redis-3")
        assert staged(world.live()).name == "start together"

    def test_an_old_master_is_told_whom_it_follows_before_it_starts(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-1")
        follows, _ = staged(world.live()).changes
        assert isinstance(follows.resource, RedisRuntime)
        assert differences(follows) == [("follows", "", address(str(world.master)))]

    def test_a_replica_and_a_sentinel_are_started_as_they_are(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-2")
        assert [change.identity for change in staged(world.live()).changes] == [REDIS_CONTAINER]
        world = World.healthy("redis-1")
        stop(world, "redis-1", container=SENTINEL_CONTAINER)
        assert [change.identity for change in staged(world.live()).changes] == [SENTINEL_CONTAINER]


class TestJoin:
    def bare(self) -> World:
        world = World.healthy("redis-1")
        world.nodes["redis-2"] = World.empty().nodes["redis-2"]
        for change in staged(world.live(["redis-2"])).changes:
            world._apply(change)
        return world

    def test_it_waits_in_a_stage_of_its_own_until_the_others_are_well(self) -> None:
        world = self.bare()
        world.nodes["redis-3"].settled = False
        stage = staged(world.live(["redis-2"]))
        assert (stage.name, stage.changes, stage.before) == ("wait", (), None)
        assert named(stage.after) == "redis-1, redis-3 are well, to be joined"
        assert told(stage.after, world.live()) is not None
        world.nodes["redis-3"].settled = True
        assert told(stage.after, world.live()) is None

    def test_then_it_starts_behind_the_same_gate(self) -> None:
        world = self.bare()
        stage = staged(world.live(["redis-2"]))
        assert stage.name == "start"
        assert named(stage.before) == "redis-1, redis-3 are well, to be joined"
        assert named(stage.after) == "one master, all others replicate, Sentinels agree"

    def test_settings_of_those_that_run_come_before_it(self) -> None:
        world = self.bare()
        hurt(world, SETTINGS, "redis-3", appendonly="no")
        assert staged(world.live()).name == "settings of the running daemons"

    def test_a_first_start_that_was_cut_off_is_none_once_a_sentinel_has_seen_replicas(self) -> None:
        """The bare one is the master that the others wait for: it is not begun over what they hold."""
        world = World.healthy("redis-2")
        world.nodes["redis-2"] = World.empty().nodes["redis-2"]
        for change in staged(world.live(["redis-2"])).changes:
            world._apply(change)
        live = world.live(["redis-2"])
        assert staged(live).name == "wait"
        for host in ("redis-1", "redis-3"):
            view = live.hosts[host]
            answer = view.answers["redis.sentinel"]
            [master] = answer.value["replies"]["SENTINEL MASTERS"]
            replies = {
                **answer.value["replies"],
                "SENTINEL MASTERS": [{**master, "num-slaves": "0"}],
            }
            seen = Answer("redis.sentinel", {"denied": "", "replies": replies})
            view = replace(view, answers={**view.answers, "redis.sentinel": seen})
            live = replace(live, hosts={**live.hosts, host: view})
        assert staged(live).name == "start"


class TestRoll:
    def test_both_containers_of_a_host_are_replaced_at_once(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-2")
        outdate(world, "redis-2", container=SENTINEL_CONTAINER)
        outdate(world, "redis-3")
        stage = staged(world.live())
        assert stage.name == "replace redis and redis-sentinel on redis-2"
        assert stage.hosts == ("redis-2",)
        assert named(stage.before) == "all but redis-2 are well"
        assert named(stage.after) == "the member is back"
        own = unsettled(World.healthy("redis-1"), "redis-2").live()
        assert told(stage.before, own) is None, "it may be what the change mends"
        assert told(stage.after, own) is not None
        other = unsettled(World.healthy("redis-1"), "redis-3").live()
        assert told(stage.before, other) is not None
        assert told(stage.after, World.healthy("redis-1").live()) is None

    @pytest.mark.parametrize("reading", ["redis.node", "redis.sentinel"])
    def test_a_broken_one_is_replaced_first_and_not_waited_for(self, reading: str) -> None:
        """Its container may be what is wrong: what waits for it first would wait for ever."""
        world = World.healthy("redis-1")
        outdate(world, *HOSTS)
        stage = staged(silent(world.live(), "redis-3", reading))
        assert stage.name == "replace redis on redis-3"

    def test_a_broken_one_that_is_as_described_is_waited_for(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-2")
        stage = staged(silent(world.live(), "redis-3"))
        assert (stage.name, stage.changes) == ("wait", ())
        assert named(stage.after) == "the cluster has settled"

    def test_a_master_without_others_is_replaced_where_it_is(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-1")
        live = world.live()
        view = live.hosts["redis-1"]
        alone = replace(live, hosts={"redis-1": view}, members=live.members[:1])
        stage = staged(replace(alone, selected=frozenset()))
        assert stage.name == "replace redis on redis-1"
        assert release(alone, "redis-1") is None

    def test_gates_wait_for_daemons_longer_than_for_a_failover(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-2")
        stage = staged(world.live())
        assert stage.before is not None
        assert stage.after is not None
        assert (stage.before.timeout, stage.after.timeout) == (START_TIMEOUT, HAND_OVER_TIMEOUT)


class TestHandOver:
    def test_sentinel_moves_the_master_to_one_that_is_able(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-1")
        live = world.live()
        stage = staged(live)
        assert stage.name == "hand over from redis-1"
        assert stage.heirs == ("redis-2", "redis-3")
        [change] = stage.changes
        assert (change.host, change.action) == ("redis-1", Action.UPDATE)
        assert differences(change) == [("leads", True, False)]
        [monitor] = [r for r in live.hosts["redis-1"].resources if isinstance(r, SentinelMonitor)]
        assert change.resource == RedisMaster(monitor.access, "kb-redis-master", "redis-1")
        assert named(stage.before) == "the cluster is whole"
        assert told(stage.before, live) is None
        assert told(stage.before, unsettled(World.healthy("redis-1"), "redis-2").live()) is not None
        assert named(stage.after) == "another member is master"
        assert told(stage.after, live) == "no new master yet"
        assert told(stage.after, World.healthy("redis-2").live()) is None
        moved = unsettled(World.healthy("redis-2"), "redis-3").live()
        assert told(stage.after, moved) not in (None, "no new master yet")

    def test_two_members_are_enough_for_one(self) -> None:
        live = World.healthy("redis-1").live()
        two = replace(live, hosts={host: live.hosts[host] for host in HOSTS[:2]})
        stage = release(two, "redis-1")
        assert stage is not None
        assert stage.heirs == ("redis-2",)
        assert release(two, "redis-2") is None

    def test_the_master_of_two_in_sight_hands_over_before_it_is_replaced(self) -> None:
        world = World.healthy("redis-1")
        outdate(world, "redis-1")
        live = world.live()
        two = replace(live, hosts={host: live.hosts[host] for host in HOSTS[:2]})
        assert staged(replace(two, selected=frozenset())).name == "hand over from redis-1"

    def test_a_master_that_is_broken_is_not_asked_to_hand_over(self) -> None:
        assert release(silent(World.healthy("redis-1").live(), "redis-1"), "redis-1") is None


class TestSettle:
    def test_members_on_their_way_are_waited_for_by_a_run_of_one_that_runs(self) -> None:
        world = unsettled(World.healthy("redis-1"), "redis-3")
        stage = staged(world.live(["redis-1"]))
        assert (stage.name, stage.changes) == ("wait", ())
        assert named(stage.after) == "the cluster has settled"
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy("redis-1").live()) is None
        assert next_stage(world.live([])) is None

    def test_one_of_which_a_container_is_stopped_is_not_on_its_way(self) -> None:
        world = World.healthy("redis-1")
        stop(world, "redis-3", container=SENTINEL_CONTAINER)
        assert next_stage(world.live(["redis-1"])) is None

    def test_a_changed_file_comes_before_any_wait(self) -> None:
        world = unsettled(World.healthy("redis-1"), "redis-3")
        hurt(world, CONF, "redis-2", digest="other")
        assert staged(world.live()).name == "prepare"

"""A restart: one member at a time, the leader last, nothing twice, never against the quorum."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.guard import Cluster, QuorumError, guard_quorum
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.roll.next_member import left, next_step, refuse_standing, whole
from keybuzz.engine.roll.restart import marked
from keybuzz.engine.roll.rolling import is_apart
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import CheckInfo, Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.model.host.docker import Container
from keybuzz.model.host.restart import ContainerRestart, Reboot
from keybuzz.site.module import Module
from tasks.galera import MODULE as GALERA
from tasks.patroni import MODULE as PATRONI
from tasks.rabbitmq import MODULE as RABBITMQ
from tasks.redis import MODULE as REDIS
from tests.unit.tasks.galera import galera_world
from tests.unit.tasks.patroni.cluster_world import World, descriptions_of, site_of
from tests.unit.tasks.rabbitmq import rabbitmq_world
from tests.unit.tasks.redis import redis_world

AnyWorld = World | redis_world.World | galera_world.World | rabbitmq_world.World
WISH = "container-restart:patroni"
HOSTS = ("db-1", "db-2", "db-3")
NONE: frozenset[str] = frozenset()
"""No host is left to restart."""


class Restarting:
    """A healthy cluster whose containers are to restart."""

    def __init__(
        self, world: AnyWorld, module: Module = PATRONI, done: frozenset[str] = frozenset()
    ) -> None:
        self.world = world
        self.module = module
        self.hosts = tuple(world.nodes)
        self.starts = {host: "new" if host in done else "old" for host in self.hosts}
        self.trail: list[str] = []

    def live(self) -> Live:
        live = self.world.live()
        views = {}
        for host, view in live.hosts.items():
            found = [item for item in view.resources if isinstance(item, Container)]
            wishes = [ContainerRestart(item.container, seen="old") for item in found]
            begun = self.starts[host] != "old"
            states = {
                wish.identity: State(wish.identity, True, {"restarted": begun, "running": True})
                for wish in wishes
            }
            changes = plan_host(host, self.module.name, wishes, states, site_of(3).digest_key)
            views[host] = replace(view, changes=(*view.changes, *changes))
        return replace(live, hosts=views)

    def next(self) -> Stage | None:
        return next_step(self.live(), ((self.module, self.world.live()),))

    def roll(self) -> None:
        while (stage := self.next()) is not None:
            assert len(self.trail) < 2 * len(self.hosts), "it goes round in circles"
            assert whole(self.module, 1.0, NONE).reason(self.world.live()) is None
            if stage.before is not None:
                assert stage.before.reason(self.world.live()) is None
            [host] = stage.hosts
            if isinstance(stage.changes[0].resource, ContainerRestart):
                self.starts[host] = "new"
                self.trail.append(host)
                continue
            self.world.apply(stage)
            self.trail.append(f"hand over {host}")


@pytest.mark.parametrize("leader", HOSTS)
def test_each_member_once_and_the_leader_last_after_a_hand_over(leader: str) -> None:
    rolled = Restarting(World.healthy(3, leader))
    rolled.roll()
    followers = [host for host in HOSTS if host != leader]
    assert rolled.trail == [*followers, f"hand over {leader}", leader]


@pytest.mark.parametrize("master", redis_world.HOSTS)
def test_redis_and_its_sentinel_restart_together_the_master_last(master: str) -> None:
    rolled = Restarting(redis_world.World.healthy(master), REDIS)
    first = rolled.next()
    assert first is not None
    assert [change.resource.name for change in first.changes] == ["redis", "redis-sentinel"]
    rolled.roll()
    replicas = [host for host in redis_world.HOSTS if host != master]
    assert rolled.trail == [*replicas, f"hand over {master}", master]


def test_galera_has_no_hand_over_and_the_node_that_is_written_on_comes_last() -> None:
    rolled = Restarting(galera_world.World.healthy(), GALERA)
    rolled.roll()
    assert rolled.trail == ["maria-1", "maria-2", "maria-3"]


def test_a_release_that_only_waits_is_a_gate_and_no_round_in_circles() -> None:
    """RabbitMQ has no leader to hand over: its release waits until no queue loses its majority."""
    rolled = Restarting(rabbitmq_world.World.healthy(), RABBITMQ)
    stage = rolled.next()
    assert stage is not None
    assert stage.before is not None
    assert stage.before.name.startswith("queues can do without queue-")
    rolled.roll()
    assert rolled.trail == ["queue-02", "queue-03", "queue-01"]


def test_what_has_begun_anew_since_the_first_start_is_not_repeated() -> None:
    rolled = Restarting(World.healthy(3), done=frozenset({"db-2"}))
    rolled.roll()
    assert rolled.trail == ["db-3", "hand over db-1", "db-1"]
    assert left(rolled.live()) == {}


def test_a_group_with_a_red_check_is_not_whole() -> None:
    world = World.healthy(3)
    gate = whole(PATRONI, 1.0, NONE)
    assert gate.reason(world.live()) is None
    world.nodes["db-3"].reachable = False
    reason = gate.reason(world.live())
    assert reason is not None
    assert reason.startswith("db-3: patroni.member.reachable")


def test_the_gate_after_waits_for_a_host_that_is_away() -> None:
    world = World.healthy(3)
    rolled = Restarting(world)
    stage = rolled.next()
    assert stage is not None
    assert stage.after is not None
    assert stage.after.reason(rolled.live()) == "db-2 has not come back"
    world.nodes["db-2"].reachable = False
    assert stage.after.reason(rolled.live()) == "db-2 does not answer: no route"
    world.nodes["db-2"].reachable = True
    rolled.starts["db-2"] = "new"
    assert stage.after.reason(rolled.live()) is None


def test_a_restart_that_the_quorum_forbids_is_refused() -> None:
    stage = Restarting(World.healthy(3)).next()
    assert stage is not None
    assert stage.changes[0].disrupts
    two_of_three = Cluster("patroni", frozenset(HOSTS), frozenset({"db-1", "db-2"}))
    with pytest.raises(QuorumError, match="would keep 1 of 3 members"):
        guard_quorum(stage, [two_of_three])


def test_a_marked_module_wishes_only_what_was_seen() -> None:
    server = site_of(3).server("db-1")
    module = marked(PATRONI, {"db-1": {WISH: "2026-01-01T00:00:00Z"}})
    before = descriptions_of(3)["db-1"].modules["patroni"].resources
    wishes = [
        r for r in module.describe(site_of(3), server).resources if r.kind.endswith("restart")
    ]
    assert wishes == [ContainerRestart("patroni", 60, "2026-01-01T00:00:00Z")]
    others = module.describe(site_of(3), site_of(3).server("db-2")).resources
    assert len(others) == len(before)


def test_a_reboot_is_done_by_another_boot() -> None:
    wish = Reboot("boot-1")
    key = site_of(3).digest_key
    seen = {wish.identity: State(wish.identity, True, {"restarted": False})}
    [change] = plan_host("db-1", "reboot", (wish,), seen, key)
    assert change.disrupts
    after = {wish.identity: State(wish.identity, True, {"restarted": True})}
    assert plan_host("db-1", "reboot", (wish,), after, key) == ()


def test_a_member_that_is_apart_from_its_cluster_comes_first() -> None:
    """What is wrong may be restarted while it is wrong, and before what serves."""
    restarting = Restarting(World.healthy(3, "db-1"))
    stage = next_step(restarting.live(), ((PATRONI, restarting.world.live()),), frozenset({"db-3"}))
    assert stage is not None
    assert stage.hosts == ("db-3",)


def test_a_canary_that_is_healthy_waits_for_a_member_that_is_apart() -> None:
    """The gate before it is left out only for what is apart already."""
    restarting = Restarting(World.healthy(3, "db-1"))
    cluster = ((PATRONI, restarting.world.live()),)
    for apart, taken in (({"db-3"}, "db-3"), (set[str](), "db-2")):
        stage = next_step(restarting.live(), cluster, frozenset(apart), "db-2")
        assert stage is not None
        assert stage.hosts == (taken,)


def test_a_member_that_takes_writes_of_its_own_is_not_apart() -> None:
    """K-13: two Primary components of Galera; the smaller one holds rows that the larger one has not."""
    members = frozenset({"a", "b", "c"})
    broken = Cluster("x", members, frozenset({"a", "b"}), able=frozenset({"a", "b"}))
    assert [host for host in sorted(members) if is_apart(broken, host)] == ["c"]
    assert is_apart(replace(broken, able=None), "c")
    assert not is_apart(replace(broken, able=members), "c")


def test_what_a_restart_ends_does_not_hold_the_restart_back() -> None:
    """The hint of galera.settings.live is `kbz restart galera`: once its own gate refused it."""
    finding = Finding("x.settings", Level.CRITICAL, "is 7, and 8 is settled", "db-1")
    cured = CheckInfo("x.settings", "t", "m.", "n", restart=True)
    module = replace(PATRONI, checks=lambda live: (finding,), check_infos=(cured,))
    assert whole(module, 1.0, NONE).reason(World.healthy(3).live()) is None
    other = replace(module, check_infos=(replace(cured, restart=False),))
    assert "is 7" in str(whole(other, 1.0, NONE).reason(World.healthy(3).live()))


CURED = [
    info
    for module in all_modules()
    for info in module.check_infos
    if f"kbz restart {module.name}" in info.next_step
    and Level.CRITICAL in info.levels
    # Its smaller side is apart from the cluster, and is restarted for that.
    and info.id != "rabbitmq.partitions.none"
]


@pytest.mark.parametrize("info", CURED, ids=[info.id for info in CURED])
def test_hints_that_name_a_restart_are_of_such_checks(info: CheckInfo) -> None:
    """Neither is the restart refused, nor is a run ended by it that may restart the member."""
    assert info.restart
    assert not info.lasting
    assert not info.stands


def test_such_checks_are_known() -> None:
    assert {info.id for info in CURED} >= {
        "galera.settings.live",
        "galera.settings.provider",
        "patroni.hba.open",
    }


STANDING = [(m, info.id) for m in all_modules() for info in m.check_infos if info.stands]


@pytest.mark.parametrize(("module", "check"), STANDING, ids=[check for _, check in STANDING])
def test_what_no_waiting_ends_refuses_a_restart_at_once_with_its_way_out(
    module: Module, check: str
) -> None:
    def judged(level: Level) -> Module:
        finding = Finding(check, level, "is so", "a-host", "do that")
        return replace(module, checks=lambda live: (finding,))

    live = Live(module.name, (), {}, {}, frozenset())
    with pytest.raises(RefusedError, match=f"{check}: is so") as caught:
        refuse_standing(judged(Level.CRITICAL), live, frozenset({"another-host"}))
    assert (caught.value.where, caught.value.hint) == ("a-host", "do that")
    for level in (Level.OK, Level.WARN, Level.UNKNOWN):
        refuse_standing(judged(level), live, NONE)


def test_what_may_get_well_by_itself_is_waited_for() -> None:
    finding = Finding("redis.replica.link", Level.CRITICAL, "is down", "redis-02")
    refuse_standing(
        replace(REDIS, checks=lambda live: (finding,)), Live("redis", (), {}, {}, frozenset()), NONE
    )

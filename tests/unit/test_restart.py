"""A restart: one member at a time, the leader last, nothing twice, never against the quorum."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster_world import PATRONI, World, descriptions_of, site_of
from keybuzz.engine.guard import Cluster, QuorumError, guard_quorum
from keybuzz.engine.planning import plan_host
from keybuzz.engine.restart import left, marked, next_restart, whole
from keybuzz.model.live import Live, Stage
from keybuzz.model.plan import State
from keybuzz.model.postgres import PatroniLeader
from keybuzz.model.restart import ContainerRestart, Reboot

WISH = "container-restart:patroni"
HOSTS = ("db-1", "db-2", "db-3")


class Restarting:
    """A healthy cluster whose containers are to restart."""

    def __init__(self, leader: str = "db-1", done: frozenset[str] = frozenset()) -> None:
        self.world = World.healthy(3, leader)
        self.starts = {host: "new" if host in done else "old" for host in HOSTS}
        self.trail: list[str] = []

    def live(self) -> Live:
        live = self.world.live()
        views = {}
        for host, view in live.hosts.items():
            wish = ContainerRestart("patroni", seen="old")
            begun = self.starts[host] != "old"
            states = {WISH: State(WISH, True, {"restarted": begun, "running": True})}
            changes = plan_host(host, "patroni", (wish,), states, site_of(3).digest_key)
            views[host] = replace(view, changes=(*view.changes, *changes))
        return replace(live, hosts=views)

    def hands_over(self, host: str) -> Stage | None:
        return PATRONI.release(self.live(), host)

    def next(self) -> Stage | None:
        return next_restart(self.live(), lambda host: self.hands_over(host) is not None)

    def roll(self) -> None:
        while (stage := self.next()) is not None:
            [host] = stage.hosts
            handing = self.hands_over(host)
            if handing is not None:
                assert isinstance(handing.changes[0].resource, PatroniLeader)
                self.world.apply(handing)
                self.trail.append(f"hand over {host}")
                continue
            self.starts[host] = "new"
            self.trail.append(host)


@pytest.mark.parametrize("leader", HOSTS)
def test_each_member_once_and_the_leader_last_after_a_hand_over(leader: str) -> None:
    rolled = Restarting(leader)
    rolled.roll()
    followers = [host for host in HOSTS if host != leader]
    assert rolled.trail == [*followers, f"hand over {leader}", leader]


def test_what_has_begun_anew_since_the_first_start_is_not_repeated() -> None:
    rolled = Restarting("db-1", done=frozenset({"db-2"}))
    rolled.roll()
    assert rolled.trail == ["db-3", "hand over db-1", "db-1"]
    assert left(rolled.live()) == {}


def test_a_group_with_a_red_check_is_not_whole() -> None:
    world = World.healthy(3)
    gate = whole(PATRONI, 1.0)
    assert gate.reason(world.live()) is None
    world.nodes["db-3"].reachable = False
    reason = gate.reason(world.live())
    assert reason is not None
    assert reason.startswith("db-3: patroni.member.reachable")


def test_the_gate_after_waits_for_a_host_that_is_away() -> None:
    rolled = Restarting()
    stage = rolled.next()
    assert stage is not None
    assert stage.after is not None
    assert stage.after.reason(rolled.live()) == "db-2 has not begun anew"
    rolled.world.nodes["db-2"].reachable = False
    assert stage.after.reason(rolled.live()) == "db-2 does not answer: no route"
    rolled.world.nodes["db-2"].reachable = True
    rolled.starts["db-2"] = "new"
    assert stage.after.reason(rolled.live()) is None


def test_a_restart_that_the_quorum_forbids_is_refused() -> None:
    stage = Restarting().next()
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

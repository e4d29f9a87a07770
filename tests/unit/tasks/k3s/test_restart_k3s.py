"""`kbz restart k3s`: a node is drained before its unit begins anew, and what counts as having begun anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.agent.kinds.docker import restart as kind
from keybuzz.agent.runtime.children import Completed
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.memory.lock import lease_names
from keybuzz.engine.roll.next_member import left, next_step, refuse_standing, whole
from keybuzz.engine.roll.restart import marked, restartable
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.host.restart import ServiceRestart
from keybuzz.model.host.system import SystemdUnit
from tasks.k3s import MODULE
from tasks.k3s.values import unit
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.k3s.k3s_world import MASTERS, Known, World

HOST = "k8s-worker-02"


def wishing(world: World, *hosts: str) -> Live:
    """Return the live state in which these hosts' units are to begin anew."""
    live = world.live()
    views = dict(live.hosts)
    for host in hosts:
        wish = ServiceRestart(unit(memory_site().server(host)), seen="old")
        state = State(wish.identity, True, {"restarted": False, "running": True})
        changes = plan_host(host, "k3s", [wish], {wish.identity: state}, memory_site().digest_key)
        views[host] = replace(views[host], changes=changes)
    return replace(live, hosts=views)


def test_a_node_is_drained_before_its_unit_begins_anew() -> None:
    world = World.healthy()
    live = wishing(world, HOST)
    drain = next_step(live, ((MODULE, live),))
    assert drain is not None
    assert [change.identity for change in drain.changes] == [f"k3s-drained:{HOST}"]
    assert set(drain.hosts) <= set(MASTERS)
    world.apply(drain)
    live = wishing(world, HOST)
    restart = next_step(live, ((MODULE, live),))
    assert restart is not None
    assert [change.identity for change in restart.changes] == ["service-restart:k3s-agent.service"]
    assert restart.changes[0].disrupts


def test_the_node_that_a_person_has_cordoned_is_restarted_and_no_other_is() -> None:
    """Cordoned to be serviced: only the other nodes must not be interrupted meanwhile."""
    world = World.healthy()
    world.nodes[HOST] = Known(cordoned=True)
    for hosts in ((HOST,), ()):
        waiting = frozenset(left(wishing(world, *hosts)))
        assert waiting == set(hosts)
        refuse_standing(MODULE, world.live(), waiting)
        assert whole(MODULE, 1.0, waiting).reason(world.live()) is None
    first = next_step(wishing(world, HOST), ((MODULE, world.live()),))
    assert first is not None
    assert [change.identity for change in first.changes] == ["service-restart:k3s-agent.service"]
    for other in ((MASTERS[0],), (HOST, MASTERS[0])):
        waiting = frozenset(left(wishing(world, *other)))
        with pytest.raises(RefusedError, match=r"k3s\.node\.schedulable"):
            refuse_standing(MODULE, world.live(), waiting)
        assert "k3s.node.schedulable" in str(whole(MODULE, 1.0, waiting).reason(world.live()))


def test_a_node_that_is_cordoned_holds_itself_back_where_it_is_not_ready() -> None:
    """Only what is of the others is left out: its other faults count as before."""
    world = World.healthy()
    world.nodes[HOST] = Known(cordoned=True)
    world.hosts[HOST].sick = True
    assert "k3s.node" in str(whole(MODULE, 1.0, frozenset({HOST})).reason(world.live()))


def test_masters_and_workers_are_one_cluster_with_one_lease() -> None:
    site = memory_site()
    assert lease_names(site.members("k3s")) == ("k3s",)
    assert lease_names([site.server("redis-01"), site.server("siem-01")]) == ("redis", "siem-01")


def test_what_is_marked_is_the_unit_that_serves_and_no_other() -> None:
    site = memory_site()
    module = marked(MODULE, {HOST: {"service-restart:k3s-agent.service": "seen"}})
    found = module.describe(site, site.server(HOST)).resources
    [wish] = [item for item in found if isinstance(item, ServiceRestart)]
    assert (wish.unit, wish.seen) == ("k3s-agent.service", "seen")
    assert not restartable(SystemdUnit("watcher.service", ""))


class Systemd:
    """Shows a unit, and notes what it is told."""

    def __init__(self, shown: str, code: int = 0) -> None:
        self.shown, self.code = shown, code
        self.told: list[str] = []

    def __call__(self, argv: Sequence[str], **_: Any) -> Completed:
        if argv[1] == "show":
            return Completed(0, self.shown.encode(), b"", False)
        self.told.append(" ".join(argv))
        return Completed(self.code, b"", b"it is masked\n", False)


@pytest.mark.parametrize(
    ("shown", "restarted"),
    [
        ("ActiveState=active\nInvocationID=new\n", True),
        ("ActiveState=active\nInvocationID=old\n", False),
        ("ActiveState=activating\nInvocationID=new\n", False),
    ],
)
def test_another_start_that_runs_is_what_counts(
    monkeypatch: pytest.MonkeyPatch, shown: str, restarted: bool
) -> None:
    monkeypatch.setattr(kind, "run", Systemd(shown))
    context: Any = None
    found = kind.read_service_restart({"name": "k3s.service", "seen": "old"}, context)
    assert found["attributes"]["restarted"] is restarted


def test_nobody_waits_for_systemd_and_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd("", code=1)
    monkeypatch.setattr(kind, "run", systemd)
    context: Any = None
    with pytest.raises(AgentError, match="it is masked"):
        kind.write_service_restart({"name": "k3s.service"}, context)
    assert systemd.told == ["systemctl --no-block restart k3s.service"]

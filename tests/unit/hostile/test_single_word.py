"""One member's word about the others opens no gate, and closes none where the others agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.k3s.members import nodes as k3s_nodes
from tasks.k3s.ready import ingress_not_ready, still_ready
from tasks.k3s.ready import not_ready as k3s_not_ready
from tasks.patroni.checks import not_ready as patroni_not_ready
from tasks.patroni.members import members as patroni_members
from tasks.rabbitmq.rollout import release
from tests.unit.tasks.k3s.k3s_world import MASTERS
from tests.unit.tasks.k3s.k3s_world import World as K3s
from tests.unit.tasks.patroni.cluster_world import World as Patroni
from tests.unit.tasks.rabbitmq.rabbitmq_world import World as Rabbitmq

Edit = Callable[[Any], Any]


def saying(live: Live, host: str, name: str, edit: Edit) -> Live:
    """Return the live state in which one host's answer to a reading is another one."""
    view = live.hosts[host]
    value = edit(view.answer(name).value)
    answers = {**view.answers, name: Answer(name, value)}
    return replace(live, hosts={**live.hosts, host: replace(view, answers=answers)})


def about(member: str, **more: Any) -> Edit:
    """Return what changes a member in Patroni's document of the whole cluster."""

    def edit(value: Any) -> Any:
        told = [
            {**item, **more} if item["name"] == member else item
            for item in value["json"]["members"]
        ]
        return {**value, "json": {**value["json"], "members": told}}

    return edit


class TestPatroni:
    hosts = ("db-1", "db-2", "db-3")

    def lagging(self) -> Live:
        """Return a cluster whose third member is far behind, as all see."""
        live = Patroni.healthy(3).live()
        for host in self.hosts:
            live = saying(live, host, "patroni.cluster", about("db-3", state="starting", lag=10**9))
        return live

    def test_the_leader_alone_cannot_call_a_member_good(self) -> None:
        live = self.lagging()
        assert patroni_not_ready(live, self.hosts)
        lying = saying(live, "db-1", "patroni.cluster", about("db-3", state="streaming", lag=0))
        assert patroni_not_ready(lying, self.hosts) == "db-3 is starting, lag 1000000000 B"

    def test_nor_can_it_call_a_good_one_bad(self) -> None:
        live = Patroni.healthy(3).live()
        lying = saying(live, "db-1", "patroni.cluster", about("db-3", state="stopped", lag=10**9))
        assert patroni_not_ready(lying, self.hosts) is None

    def test_where_two_are_left_both_must_agree(self) -> None:
        live = Patroni.healthy(3).live()
        without = replace(
            live,
            hosts={host: live.hosts[host] for host in ("db-1", "db-2")},
            unreachable={"db-3": "no route"},
        )
        assert patroni_not_ready(without, ("db-1", "db-2")) is None
        lying = saying(without, "db-1", "patroni.cluster", about("db-2", state="stopped"))
        assert patroni_members(lying)["db-2"].state == "running"
        assert patroni_not_ready(lying, ("db-1", "db-2"))


def node(name: str, **more: Any) -> Edit:
    def edit(value: Any) -> Any:
        told = [{**n, **more} if n["name"] == name else n for n in value["nodes"]]
        return {**value, "nodes": told}

    return edit


class TestK3s:
    def test_one_server_alone_cannot_call_a_node_ready(self) -> None:
        live = K3s.healthy().live()
        worker = next(name for name in k3s_nodes(live) if name not in MASTERS)
        assert k3s_not_ready(live, [worker]) is None
        for host in MASTERS:
            live = saying(live, host, "k3s.api", node(worker, ready="False", reason="gone"))
        for liar in MASTERS:
            lying = saying(live, liar, "k3s.api", node(worker, ready="True"))
            assert k3s_not_ready(lying, [worker])

    def test_nor_a_member_of_etcd_full(self) -> None:
        live = K3s.healthy().live()
        for host in MASTERS:
            live = saying(live, host, "k3s.api", node(MASTERS[1], voter=False))
        lying = saying(live, MASTERS[0], "k3s.api", node(MASTERS[1], voter=True))
        assert k3s_not_ready(lying, [MASTERS[1]]) == f"{MASTERS[1]} is no full member of etcd yet"

    def test_nor_a_node_gone_that_the_others_see(self) -> None:
        """It would be deleted from the cluster."""
        live = K3s.healthy().live()
        worker = next(name for name in k3s_nodes(live) if name not in MASTERS)
        lying = saying(live, MASTERS[0], "k3s.api", node(worker, ready="Unknown"))
        assert still_ready(lying, [worker])

    def test_nor_the_ingress_served(self) -> None:
        live = K3s.healthy().live()
        assert ingress_not_ready(live) is None

        def none_ready(value: Any) -> Any:
            return {**value, "ingress": {**value["ingress"], "ready": 0}}

        doubting = saying(live, MASTERS[2], "k3s.api", none_ready)
        assert ingress_not_ready(doubting)


class TestRabbitmq:
    def test_a_node_alone_cannot_say_that_its_queues_have_replicas_elsewhere(self) -> None:
        live = Rabbitmq.healthy().live()
        first, *others = live.hosts
        stage = release(live, first)
        assert stage is not None
        assert stage.after is not None
        assert stage.after.reason(live) is None
        away = saying(live, others[0], "rabbitmq.node", lambda value: {**value, "running": []})
        assert stage.after.reason(away), "a member that does not run by its own word"


@pytest.mark.parametrize("host", ["db-1", "db-2", "db-3"])
def test_a_member_speaks_for_itself(host: str) -> None:
    """Whatever all others say of it, a member that says that it does not run is not good."""
    live = Patroni.healthy(3).live()

    def stopped(value: Any) -> Any:
        return {**value, "json": {**value["json"], "state": "stopped"}}

    assert patroni_not_ready(saying(live, host, "patroni.self", stopped), TestPatroni.hosts)

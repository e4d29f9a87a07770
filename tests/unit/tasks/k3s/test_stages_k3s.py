"""The stages and refusals of K3s' rollout, each for what it says, changes and waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.model.host.files import Artefact
from keybuzz.model.host.system import InterfaceOption
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.policies import Policies
from tasks.k3s.rollout import INGRESS_TIMEOUT, RETURN_TIMEOUT, next_stage
from tasks.k3s.steps import JOIN_TIMEOUT
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.gates import shape, told
from tests.unit.tasks.k3s import k3s_world
from tests.unit.tasks.k3s.k3s_world import (
    HOSTS,
    MASTERS,
    WORKERS,
    Known,
    World,
    start_of,
    unit_of,
)

FIRST, SECOND, THIRD = MASTERS


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


def staged(world: World, *selected: str) -> Stage:
    stage = next_stage(world.live(selected or HOSTS))
    assert stage is not None
    return stage


def prepared(world: World, *selected: str) -> World:
    stage = staged(world, *selected)
    assert stage.name == "prepare"
    world.apply(stage)
    return world


def stopped(*hosts: str) -> World:
    world = World.healthy()
    world.stop(*hosts)
    return world


def wiped(*hosts: str) -> World:
    """Return a cluster of which these hosts are bare and prepared, and forgotten."""
    world = World.healthy()
    for host in hosts:
        world.wipe(host)
        world.nodes.pop(host)
        world.members.discard(host)
    return prepared(world)


def starting(*hosts: str) -> World:
    world = World.healthy()
    for host in hosts:
        world.damage(host, unit_of(host), state="activating")
    return world


class TestMaintenance:
    @pytest.mark.parametrize(("ends", "stays"), [(4, True), (-1, False)])
    def test_a_node_that_is_drained_for_it_takes_no_pods_whatever_is_run(
        self, monkeypatch: pytest.MonkeyPatch, ends: int, *, stays: bool
    ) -> None:
        world = World.healthy()
        world.nodes[WORKERS[0]].held, world.nodes[WORKERS[0]].cordoned = "drained", True
        assert [c.identity for c in staged(world, *MASTERS).changes] == [
            "k3s-schedulable:k8s-worker-01"
        ]
        now = datetime.now(UTC)
        entry = Maintenance(WORKERS[0], "a new disk", now, now + timedelta(hours=ends))
        site = replace(memory_site(), policies=Policies(maintenance=(entry,)))
        monkeypatch.setattr(k3s_world, "memory_site", lambda: site)
        assert (next_stage(world.live(MASTERS)) is None) == stays


class TestRefusals:
    def test_data_of_a_single_server_is_refused_where_the_run_would_change_it(self) -> None:
        world = World.empty()
        world.hosts[SECOND].foreign = True
        error = refused(world.live())
        assert error.what.endswith("state.db is the data of a single server without etcd")
        assert error.where == SECOND
        assert error.hint == (
            "nothing was written; data is never converted, moved or removed by a run"
        )
        assert staged(world, *WORKERS).name == "prepare"

    def test_two_clusters_are_told_by_a_member_of_each(self) -> None:
        world = World.healthy()
        for host in (SECOND, THIRD):
            world.hosts[host].authority = "other"
        error = refused(world.live())
        assert error.what == f"{FIRST} and {SECOND} are in two clusters: their authorities differ"
        assert error.where == "k3s"
        assert error.hint == (
            "the owner decides which one stays; kbz resets no server that holds data"
        )

    def test_a_program_without_a_digest_is_refused(self) -> None:
        live = World.empty().live()
        view = live.hosts[FIRST]
        [change] = [c for c in view.changes if isinstance(c.resource, Artefact)]
        assert isinstance(change.resource, Artefact)
        without = replace(change, resource=replace(change.resource, digest=""))
        changes = tuple(without if c is change else c for c in view.changes)
        error = refused(replace(live, hosts={**live.hosts, FIRST: replace(view, changes=changes)}))
        assert error.what == "versions.yaml has no sha256 for k3s, or its file is missing"
        assert error.where == "versions.yaml"
        assert str(change.resource.source) in error.hint

    def test_a_card_that_cannot_be_told_is_refused_and_one_that_is_set_otherwise_is_not(
        self,
    ) -> None:
        world = World.healthy()
        host = world.hosts["k8s-worker-01"]
        [identity] = [i for i in host.states if i.startswith(InterfaceOption.kind)]
        host.states[identity] = replace(host.states[identity], present=False, attributes={})
        assert staged(world).name == "prepare"
        host.states[identity] = State(identity, False, problem="no interface carries 10.0.0.110")
        error = refused(world.live())
        assert error.what == "flannel's interface cannot be told: no interface carries 10.0.0.110"
        assert (error.where, error.hint) == (
            "k8s-worker-01",
            "the private address of servers.tsv must be on one of its cards",
        )

    def test_a_first_start_without_a_master_in_sight(self) -> None:
        world = prepared(World.empty())
        world.hosts[SECOND].reachable = False
        error = refused(world.live())
        assert error.what == f"a first start needs all 3 masters; {SECOND} cannot be read"
        assert (error.where, error.hint) == (
            "k3s",
            "bring it back: whether a cluster lives there cannot be told",
        )

    def test_a_first_start_of_a_part_of_the_masters(self) -> None:
        error = refused(prepared(World.empty()).live((SECOND, *WORKERS)))
        assert error.what == (
            f"a first start needs all 3 masters; --limit leaves out {FIRST}, {THIRD}"
        )
        assert (error.where, error.hint) == ("k3s", "kbz run k3s --limit k3s-masters")

    def test_a_node_cordoned_by_hand_forbids_to_interrupt_another_that_is_ready(self) -> None:
        world = World.healthy()
        world.damage("k8s-worker-02", unit_of("k8s-worker-02"), digest="old")
        for host in ("k8s-worker-03", "k8s-worker-01"):
            world.nodes[host] = Known(cordoned=True)
        error = refused(world.live())
        assert error.what == (
            "k8s-worker-01, k8s-worker-03 is cordoned, and not by kbz: "
            "the pods of k8s-worker-02 have a node less to go to"
        )
        assert error.where == "k3s"
        assert error.hint.endswith("k3s kubectl uncordon k8s-worker-01 k8s-worker-03")
        for host in ("k8s-worker-03", "k8s-worker-01"):
            world.nodes[host] = Known(held="drained", cordoned=True)
        assert staged(world).hosts == ("k8s-worker-02",), "what kbz itself holds is given back"

    def test_one_that_is_not_ready_is_restarted_first_beside_a_cordoned_one(self) -> None:
        """It has nothing to lose; that another one, which is Ready, must wait comes after it."""
        world = World.healthy()
        world.hosts["k8s-worker-02"].sick = True
        for host in ("k8s-worker-01", "k8s-worker-02"):
            world.damage(host, unit_of(host), digest="old")
        world.nodes["k8s-worker-03"] = Known(cordoned=True)
        assert staged(world).hosts == ("k8s-worker-02",)


class TestPrepare:
    def test_a_step_of_a_start_is_taken_away_when_its_host_is_up_and_not_before(self) -> None:
        world = World.healthy()
        world.damage(SECOND, start_of(SECOND), by="https://10.0.0.101:6443")
        stage = staged(world)
        assert (stage.name, [c.identity for c in stage.changes]) == ("prepare", [start_of(SECOND)])
        world.damage(SECOND, unit_of(SECOND), state="activating")
        assert staged(world).name == "wait"

    def test_units_and_what_is_inside_come_later(self) -> None:
        world = World.healthy()
        world.damage("k8s-worker-02", unit_of("k8s-worker-02"), digest="old")
        world.differs = ("Namespace/ingress-nginx is missing",)
        assert staged(world).name == "restart k3s-agent.service on k8s-worker-02"

    def test_a_run_of_a_reachable_member_only(self) -> None:
        live = World.empty().live(())
        assert next_stage(live) is None


class TestWithoutApi:
    def test_masters_with_data_start_together_and_a_majority_is_waited_for(self) -> None:
        world = stopped(SECOND, THIRD)
        stage = staged(world)
        assert (stage.name, stage.hosts) == ("start the masters together", (SECOND, THIRD))
        assert shape(stage.after) == (
            "the API is ready on a majority of the masters",
            RETURN_TIMEOUT,
        )
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, stopped(THIRD).live()) is None
        assert {change.identity for change in stage.changes} == {unit_of(SECOND)}, "no other way"

    def test_those_that_run_are_waited_for(self) -> None:
        world = World.healthy()
        for host in (SECOND, THIRD):
            world.hosts[host].reachable = False
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after)[0] == "the API is ready on a majority of the masters"

    def test_one_of_them_is_no_birth(self) -> None:
        world = World.healthy()
        world.stop(*MASTERS)
        for host in (SECOND, THIRD):
            world.wipe(host)
        stage = staged(prepared(world))
        assert (stage.name, stage.hosts) == ("start the masters together", (FIRST,))

    def test_one_that_is_on_its_way_is_not_started_again(self) -> None:
        world = stopped(*MASTERS)
        world.damage(SECOND, unit_of(SECOND), running=False, state="activating")
        assert staged(world).hosts == (FIRST, THIRD)


class TestMasters:
    def test_one_master_joins_behind_those_that_serve(self) -> None:
        world = wiped(SECOND, THIRD)
        stage = staged(world)
        assert stage.name == f"start {SECOND}"
        assert shape(stage.before) == (f"{FIRST} serve", RETURN_TIMEOUT)
        assert shape(stage.after) == (f"{SECOND} Ready", JOIN_TIMEOUT)
        assert told(stage.before, World.healthy().live()) is None
        assert told(stage.before, stopped(FIRST).live()) is not None
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    def test_one_on_its_way_is_waited_for_before_the_next(self) -> None:
        world = wiped(SECOND, THIRD)
        world.damage(SECOND, unit_of(SECOND), running=False, state="activating")
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == (f"{SECOND} Ready", JOIN_TIMEOUT)

    def test_one_that_stopped_and_holds_its_data_is_not_forgotten(self) -> None:
        assert staged(stopped(SECOND)).name == f"start {SECOND}"

    def test_a_bare_one_is_forgotten_where_the_cluster_knows_its_name(self) -> None:
        world = World.healthy()
        world.wipe(SECOND)
        stage = staged(prepared(world))
        assert stage.name == f"forget {SECOND}, whose host holds nothing any more"

    def test_one_that_is_not_ready_yet_is_waited_for_before_workers(self) -> None:
        world = starting(SECOND)
        world.stop("k8s-worker-01")
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after)[0] == f"{SECOND} Ready"
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    def test_not_by_a_run_that_is_not_of_it(self) -> None:
        world = starting(SECOND)
        world.stop("k8s-worker-01")
        assert staged(world, "k8s-worker-01").name == "start k8s-worker-01"

    def test_one_that_will_be_restarted_is_not_waited_for(self) -> None:
        world = starting(SECOND)
        world.damage(SECOND, unit_of(SECOND), digest="old")
        stage = staged(world)
        assert stage.name == f"restart k3s.service on {SECOND}"

    def test_one_that_stopped_starts_before_another_one_is_restarted(self) -> None:
        world = stopped(THIRD)
        world.damage(SECOND, unit_of(SECOND), digest="old")
        assert staged(world).name == f"start {THIRD}"

    def test_a_master_comes_before_a_worker(self) -> None:
        assert staged(stopped("k8s-worker-01", THIRD)).name == f"start {THIRD}"


class TestWorkers:
    @pytest.mark.parametrize(
        ("hosts", "name"),
        [
            (WORKERS[:1], "start k8s-worker-01"),
            (WORKERS[:2], "start k8s-worker-01, k8s-worker-02"),
            (WORKERS[:3], "start 3 workers together"),
        ],
    )
    def test_they_join_together_behind_all_masters(self, hosts: tuple[str, ...], name: str) -> None:
        world = stopped(*hosts)
        stage = staged(world)
        assert (stage.name, stage.hosts) == (name, hosts)
        assert shape(stage.before) == (f"{', '.join(MASTERS)} serve", RETURN_TIMEOUT)
        assert shape(stage.after) == (f"{', '.join(hosts)} Ready", JOIN_TIMEOUT)
        assert told(stage.after, world.live()) is not None
        assert told(stage.before, starting(THIRD).live()) is not None

    def test_a_master_that_is_stopped_or_away_is_not_waited_for(self) -> None:
        world = stopped("k8s-worker-01", THIRD)
        stage = staged(world, "k8s-worker-01")
        assert shape(stage.before)[0] == f"{FIRST}, {SECOND} serve"
        world.hosts[THIRD].reachable = False
        assert shape(staged(world).before)[0] == f"{FIRST}, {SECOND} serve"

    def test_bare_ones_are_forgotten_first_where_the_cluster_knows_them(self) -> None:
        world = World.healthy()
        for host in WORKERS[:2]:
            world.wipe(host)
        world.stop(WORKERS[2])
        stage = staged(prepared(world))
        assert stage.name == (
            "forget k8s-worker-01, k8s-worker-02, whose hosts hold nothing any more"
        )

    def test_a_bare_one_that_no_node_knows_just_starts(self) -> None:
        assert staged(wiped(WORKERS[0])).name == "start k8s-worker-01"

    def test_those_on_their_way_are_waited_for(self) -> None:
        world = World.healthy()
        world.damage(WORKERS[0], unit_of(WORKERS[0]), running=False, state="activating")
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("k8s-worker-01 Ready", JOIN_TIMEOUT)


class TestInside:
    def unready(self) -> World:
        world = World.healthy()
        world.nodes["k8s-worker-01"] = Known(held="drained", cordoned=True)
        return world

    def test_the_ingress_is_applied_and_must_answer_on_every_node(self) -> None:
        world = World.healthy()
        world.differs = ("Namespace/ingress-nginx is missing",)
        stage = staged(world)
        assert stage.name == "ingress"
        assert shape(stage.after) == ("the ingress serves on every node", INGRESS_TIMEOUT)
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    def test_a_held_node_gets_pods_again_and_with_the_ingress_it_is_one_stage(self) -> None:
        world = self.unready()
        assert staged(world).name == "k8s-worker-01 takes pods again"
        world.differs = ("Namespace/ingress-nginx is missing",)
        stage = staged(world)
        assert stage.name == "ingress"
        assert len(stage.changes) == 2

    def test_a_held_node_that_is_not_ready_is_waited_for(self) -> None:
        world = self.unready()
        world.hosts["k8s-worker-01"].sick = True
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("k8s-worker-01 Ready", JOIN_TIMEOUT)


class TestSettle:
    def test_nodes_that_are_not_ready_are_waited_for_by_a_run_of_them(self) -> None:
        world = starting("k8s-worker-03")
        stage = staged(world, "k8s-worker-03", "k8s-worker-01")
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("k8s-worker-01, k8s-worker-03 Ready", JOIN_TIMEOUT)
        assert next_stage(world.live(("k8s-worker-01",))) is None

    def test_a_stopped_one_is_not(self) -> None:
        world = stopped("k8s-worker-03")
        live = world.live(("k8s-worker-03",))
        view = replace(live.hosts["k8s-worker-03"], changes=())
        live = replace(live, hosts={**live.hosts, "k8s-worker-03": view})
        assert next_stage(live) is None

    def test_one_out_of_sight_is_not(self) -> None:
        world = World.healthy()
        world.hosts["k8s-worker-05"].silent = True
        world.hosts["k8s-worker-01"].reachable = False
        stage = staged(world, "k8s-worker-01", "k8s-worker-02")
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("the ingress serves on every node", INGRESS_TIMEOUT)
        assert next_stage(world.live(("k8s-worker-01",))) is None

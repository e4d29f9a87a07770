"""The K3s rollout in a small world: birth, half-way points, replaced hosts, restarts, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import QuorumError, cluster_of, guard_quorum
from keybuzz.engine.roll import next_member as restart
from keybuzz.model.core.finding import Level
from keybuzz.model.core.plan import State
from keybuzz.model.host.system import InterfaceOption
from tasks.k3s import MODULE
from tasks.k3s.checks import checks
from tasks.k3s.members import virgin
from tasks.k3s.ready import not_ready
from tasks.k3s.rollout import next_stage
from tasks.k3s.turns import regain, release
from tests.unit.tasks.k3s.k3s_world import (
    HOSTS,
    MASTERS,
    WORKERS,
    Known,
    World,
    roll,
    start_of,
    unit_of,
)


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail if stage.changes]


def whole(world: World) -> bool:
    return world.serving() == set(MASTERS) and set(world.nodes) == set(HOSTS)


class TestBirth:
    def test_one_first_start_then_masters_one_by_one_then_workers_together(self) -> None:
        world = World.empty()
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert names(world) == [
            "prepare",
            "first start of k8s-master-01",
            "prepare",
            "start k8s-master-02",
            "start k8s-master-03",
            "start 5 workers together",
            "ingress",
        ]
        assert whole(world)
        assert world.births == 1
        assert all(h.states[start_of(n)].attributes["by"] == "" for n, h in world.hosts.items())

    @given(st.integers(0, 9), st.data())
    @settings(max_examples=30, deadline=None)
    def test_an_install_that_was_cut_off_anywhere_goes_on_and_makes_one_cluster(
        self, stages: int, data: st.DataObject
    ) -> None:
        world = World.empty()
        for _ in range(stages):
            if (stage := MODULE.next_stage(world.live())) is not None:
                world.apply(stage)
        stage = MODULE.next_stage(world.live())
        if stage is not None and stage.changes:
            for change in stage.changes[: data.draw(st.integers(0, len(stage.changes)))]:
                world._apply(change)
        world.trail.clear()
        assert roll(world).word == "done"
        assert whole(world)
        assert world.births == 1

    @pytest.mark.parametrize("left", MASTERS)
    def test_a_first_start_of_a_part_of_the_masters_is_refused(self, left: str) -> None:
        world = World.empty()
        end = roll(world, set(HOSTS) - {left})
        assert end.word == "refused"
        assert f"--limit leaves out {left}" in end.why
        assert world.births == 0

    @pytest.mark.parametrize("away", MASTERS)
    def test_a_first_start_with_a_master_out_of_sight_is_refused(self, away: str) -> None:
        world = World.empty()
        world.hosts[away].reachable = False
        end = roll(world)
        assert end.word == "refused"
        assert f"{away} cannot be read" in end.why
        assert world.births == 0

    def test_a_master_with_data_never_starts_as_a_first_one(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        assert not virgin(world.live())
        assert roll(world).word == "done"
        assert world.births == 1
        assert names(world) == ["start the masters together", "start 5 workers together"]


class TestReplaced:
    @pytest.mark.parametrize("host", HOSTS)
    def test_a_bare_host_is_forgotten_and_joins_as_new_and_nothing_else_is_touched(
        self, host: str
    ) -> None:
        world = World.healthy()
        world.wipe(host)
        assert roll(world, [host]).word == "done"
        assert names(world) == [
            "prepare",
            f"forget {host}, whose host holds nothing any more",
            f"start {host}",
            *(["prepare"] if host == "k8s-master-99" else []),
        ]
        assert whole(world)
        assert world.births == 1
        started = {
            c.host for stage in world.trail for c in stage.changes if c.identity == unit_of(host)
        }
        assert started == {host}

    def test_etcd_is_kept_before_a_master_is_forgotten(self) -> None:
        world = World.healthy()
        world.wipe("k8s-master-02")
        roll(world, ["k8s-master-02"])
        assert world.hosts["k8s-master-01"].snapshots == 1

    def test_a_node_joins_elsewhere_while_its_usual_master_is_away(self) -> None:
        world = World.healthy()
        world.hosts["k8s-master-01"].reachable = False
        world.wipe("k8s-worker-03")
        assert roll(world, ["k8s-worker-03"]).word == "done"
        starts = [
            c for s in world.trail for c in s.changes if c.identity == start_of("k8s-worker-03")
        ]
        assert [c.resource.order()["by"] for c in starts] == ["https://10.0.0.101:6443", ""]

    def test_a_name_that_somebody_else_answers_to_is_not_forgotten(self) -> None:
        world = World.healthy()
        world.hosts["k8s-worker-02"].password = False
        world.stop("k8s-worker-02")
        live = world.live()
        stage = MODULE.next_stage(live)
        assert stage is not None
        assert stage.before is not None
        world.damage("k8s-worker-02", unit_of("k8s-worker-02"), running=True, state="inactive")
        assert "still Ready" in str(stage.before.reason(world.live()))


class TestRestarts:
    def test_a_new_configuration_goes_round_one_by_one_masters_behind_a_snapshot(self) -> None:
        world = World.healthy()
        for host in HOSTS:
            world.damage(host, unit_of(host), digest="sha256:old")
        assert roll(world).word == "done"
        assert [stage.hosts for stage in world.trail] == [(host,) for host in HOSTS]
        assert [world.hosts[host].snapshots for host in HOSTS] == [1, 1, 1, 0, 0, 0, 0, 0]

    def test_no_master_is_restarted_while_another_is_down(self) -> None:
        world = World.healthy()
        world.damage("k8s-master-01", unit_of("k8s-master-01"), digest="sha256:old")
        world.hosts["k8s-master-03"].reachable = False
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        with pytest.raises(QuorumError, match="it needs 2"):
            guard_quorum(stage, [cluster_of(MODULE, world.live())])

    def test_a_worker_counts_for_no_majority(self) -> None:
        cluster = cluster_of(MODULE, World.healthy().live())
        assert cluster.members == set(MASTERS)
        assert cluster.survives(WORKERS)
        assert not cluster.survives(MASTERS[:2])

    def test_a_node_that_is_sick_anyway_is_restarted_first(self) -> None:
        world = World.healthy()
        world.hosts["k8s-worker-04"].sick = True
        for host in ("k8s-worker-01", "k8s-worker-04"):
            world.damage(host, unit_of(host), digest="sha256:old")
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        assert stage.hosts == ("k8s-worker-04",)

    def test_a_second_run_changes_nothing(self) -> None:
        world = World.healthy()
        assert roll(world).word == "done"
        assert world.trail == []


class TestWaits:
    @pytest.mark.parametrize("host", ["k8s-worker-01", "k8s-master-02"])
    def test_a_unit_that_is_still_starting_is_waited_for_though_its_node_is_ready(
        self, host: str
    ) -> None:
        """The API may know a moment before systemd: a wait that holds at once would be chosen again for ever."""
        world = World.healthy()
        world.damage(host, unit_of(host), state="activating")
        assert not_ready(world.live(), [host]) == f"{host}: K3s is activating (activating)"

    def test_an_ingress_that_is_ready_and_does_not_answer_is_waited_for(self) -> None:
        """A run of 48 servers ended with three nodes that did not serve yet: the cluster said that they did."""
        world = World.healthy()
        world.hosts["k8s-worker-05"].silent = True
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        assert stage.changes == ()
        assert stage.after is not None
        told = stage.after.reason(world.live())
        assert told == "the ingress does not answer on k8s-worker-05: Connection refused"
        world.hosts["k8s-worker-05"].silent = False
        assert stage.after.reason(world.live()) is None
        assert MODULE.next_stage(world.live()) is None


class TestTurns:
    def test_a_node_is_drained_by_another_master_and_given_pods_again_when_it_is_ready(
        self,
    ) -> None:
        world = World.healthy()
        stage = release(world.live(), "k8s-master-01")
        assert stage is not None
        assert stage.hosts == ("k8s-master-02",)
        world.apply(stage)
        assert release(world.live(), "k8s-master-01") is None
        back = regain(world.live(), "k8s-master-01")
        assert back is not None
        assert back.before is not None
        world.stop("k8s-master-01")
        assert back.before.reason(world.live()) is not None
        world.damage("k8s-master-01", unit_of("k8s-master-01"), running=True, state="active")
        assert back.before.reason(world.live()) is None
        world.apply(back)
        assert not world.nodes["k8s-master-01"].cordoned

    def test_while_a_person_has_cordoned_one_no_other_is_interrupted(self) -> None:
        world = World.healthy()
        world.nodes["k8s-worker-01"] = Known(cordoned=True)
        world.damage("k8s-worker-02", unit_of("k8s-worker-02"), digest="old")
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "k8s-worker-01 is cordoned, and not by kbz" in end.why
        [found] = [f for f in checks(world.live()) if f.level is Level.CRITICAL]
        assert (found.check, found.host) == ("k3s.node.schedulable", "k8s-worker-01")
        assert found.hint == "kbz exec --limit k8s-master-01 -- k3s kubectl uncordon k8s-worker-01"
        assert "k3s.node.schedulable" in str(
            restart.whole(MODULE, 1.0, frozenset(world.nodes)).reason(world.live())
        )

    def test_the_cordoned_node_itself_and_one_that_is_not_ready_are_rolled(self) -> None:
        for host in ("k8s-worker-01", "k8s-worker-02"):
            world = World.healthy()
            world.nodes["k8s-worker-01"] = Known(cordoned=True)
            world.damage(host, unit_of(host), digest="old")
            world.hosts["k8s-worker-02"].sick = True
            stage = next_stage(world.live())
            assert stage is not None
            assert stage.hosts == (host,)

    def test_what_a_person_has_cordoned_stays_so(self) -> None:
        world = World.healthy()
        world.nodes["k8s-worker-01"] = Known(cordoned=True)
        assert release(world.live(), "k8s-worker-01") is None
        assert regain(world.live(), "k8s-worker-01") is None
        assert roll(world).word == "done"
        assert world.nodes["k8s-worker-01"].cordoned

    def test_a_drain_that_a_cut_off_restart_left_is_taken_back_by_a_run(self) -> None:
        world = World.healthy()
        world.nodes["k8s-worker-01"] = Known(held="drained", cordoned=True)
        assert roll(world).word == "done"
        assert names(world) == ["k8s-worker-01 takes pods again"]
        assert not world.nodes["k8s-worker-01"].cordoned


class TestRefusals:
    def test_two_clusters_are_never_touched(self) -> None:
        world = World.healthy()
        world.hosts["k8s-master-03"].authority = "other"
        end = roll(world)
        assert end.word == "refused"
        assert "two clusters" in end.why
        assert world.trail == []

    def test_a_server_with_a_database_of_its_own_is_not_converted(self) -> None:
        world = World.empty()
        world.hosts["k8s-master-02"].foreign = True
        end = roll(world)
        assert end.word == "refused"
        assert "single server without etcd" in end.why

    def test_without_an_interface_that_carries_the_private_address_nothing_is_written(self) -> None:
        world = World.empty()
        host = world.hosts["k8s-worker-01"]
        [identity] = [i for i in host.states if i.startswith(InterfaceOption.kind)]
        host.states[identity] = State(identity, False, problem="no interface carries 10.0.0.110")
        end = roll(world)
        assert end.word == "refused"
        assert "no interface carries" in end.why
        assert world.trail == []


class TestElsewhere:
    def test_a_run_of_other_hosts_has_nothing_to_do_and_nothing_to_say(self) -> None:
        live = World.empty().live()
        nobody = replace(live, hosts={}, selected=frozenset({"redis-01"}))
        assert MODULE.next_stage(nobody) is None
        assert MODULE.checks(nobody) == ()


class TestChecks:
    def test_a_whole_cluster_is_green(self) -> None:
        found = MODULE.checks(World.healthy().live())
        assert {f.check for f in found if f.level is not Level.OK} == set()

    def test_not_ready_is_not_taken_for_ready(self) -> None:
        world = World.healthy()
        world.hosts["k8s-worker-05"].sick = True
        found = {(f.check, f.host): f for f in MODULE.checks(world.live())}
        assert "7 of 8 nodes are Ready; not k8s-worker-05" in found["k3s.nodes.ready", ""].message
        assert found["k3s.node.ready", "k8s-worker-05"].level is Level.CRITICAL

    def test_seven_of_eight_is_not_done(self) -> None:
        world = World.healthy()
        del world.nodes["k8s-worker-03"]
        found = {f.check: f for f in MODULE.checks(world.live()) if not f.host}
        assert found["k3s.nodes.ready"].level is Level.CRITICAL

    def test_flannel_on_another_card_is_named(self) -> None:
        world = World.healthy()
        live = world.live()
        view = live.hosts["k8s-worker-01"]
        said = dict(view.answers["k3s.network"].value)
        said["routes"] = {**said["routes"], "10.42.0.0": "timed out"}
        view.answers["k3s.network"].value.update(said)
        found = {(f.check, f.host): f for f in MODULE.checks(live)}
        bad = found["k3s.network.reaches", "k8s-worker-01"]
        assert bad.level is Level.CRITICAL
        assert "k8s-master-01: timed out" in bad.message
        assert bad.hint.startswith("firewall:")

    def test_a_node_of_another_version_is_red(self) -> None:
        world = World.healthy()
        world.nodes["k8s-worker-02"] = Known(version="v1.34.0+k3s1")
        found = {(f.check, f.host): f for f in MODULE.checks(world.live())}
        assert found["k3s.version.frozen", "k8s-worker-02"].level is Level.CRITICAL

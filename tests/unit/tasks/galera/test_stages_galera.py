"""The stages and refusals of Galera's rollout, each for what it says and waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action
from keybuzz.model.core.reading import Answer
from tasks.galera import values
from tasks.galera.desired import STATUS
from tasks.galera.members import CONTAINER_ID, DATA_ID, MARKER_ID, NO_HISTORY
from tasks.galera.rollout import bootstrap, next_stage, refuse_foreign
from tasks.galera.service.resources import MariadbData
from tests.unit.tasks.galera.galera_world import FLAG, HOSTS, World
from tests.unit.tasks.galera.test_rollout_galera import CONF, exited, hurt, wipe
from tests.unit.tasks.galera.test_switches_galera import saying

START = f"file:{values.START}"
STRANGE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


class TestJoin:
    def joining(self) -> World:
        world = World.healthy()
        world.stop("maria-3")
        hurt(world, CONTAINER_ID, "maria-3", running=False)
        return world

    def test_it_waits_for_those_that_serve_and_then_for_all(self) -> None:
        world = self.joining()
        stage = next_stage(world.live())
        assert stage is not None
        assert stage.name == "join maria-3"
        assert stage.before is not None
        assert stage.after is not None
        assert stage.before.name == "maria-1 and maria-2 serve"
        assert stage.after.name == "maria-3 is Synced, 3 members"
        assert stage.before.reason(world.live()) is None
        assert stage.after.reason(world.live()) is not None
        assert stage.after.reason(World.healthy().live()) is None

    def test_three_that_count_two_members_are_not_together(self) -> None:
        stage = next_stage(self.joining().live())
        assert stage is not None
        assert stage.after is not None
        live = World.healthy().live()
        for host in HOSTS:
            live = saying(live, host, STATUS, ("wsrep_cluster_size", "2"))
        assert stage.after.reason(live) is not None


class TestTwoClusters:
    def test_two_histories_are_never_touched(self) -> None:
        live = saying(
            World.healthy().live(), "maria-3", STATUS, ("wsrep_cluster_state_uuid", "other")
        )
        error = refused(live)
        assert "are Primary without each other: two clusters" in str(error)
        assert "the owner decides whose data stays" in str(error)

    def test_nor_more_primaries_than_any_of_them_counts(self) -> None:
        """K-13: one history, and each part counts itself."""
        live = World.healthy().live()
        for host in HOSTS:
            live = saying(live, host, STATUS, ("wsrep_cluster_size", "2"))
        assert "maria-1 and maria-2 and maria-3 are Primary" in str(refused(live))

    def test_data_of_another_cluster_never_joins_the_one_that_serves(self) -> None:
        """The state transfer would replace it."""
        world = World.healthy()
        world.crash("maria-3")
        world.nodes["maria-3"].history = STRANGE
        error = refused(world.live())
        assert error.where == "maria-3"
        assert f"its data is of another cluster ({STRANGE})" in error.what
        assert "move the other away" in error.hint

    def test_members_of_two_clusters_forbid_no_run_of_other_hosts(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        world.nodes["maria-2"].history = STRANGE
        assert next_stage(world.live(["redis-01"])) is None

    def test_members_of_two_clusters_never_start_together(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        world.nodes["maria-2"].history = STRANGE
        error = refused(world.live())
        assert "the members hold data of different clusters: maria-1 " in error.what
        assert f"maria-2 {STRANGE}" in error.what

    def test_a_member_that_has_no_copy_yet_is_of_no_other_cluster(self) -> None:
        world = World.healthy()
        world.crash("maria-3")
        world.nodes["maria-3"].history = NO_HISTORY
        refuse_foreign(world.live())

    def test_one_cluster_is_not_two(self) -> None:
        refuse_foreign(World.healthy().live())


@pytest.mark.parametrize(
    ("denied", "way"),
    [
        (
            "Host '10.0.0.9' is not allowed to connect",
            "no account of the administrator is for this host",
        ),
        ("Host '10.0.0.9' is blocked because of many errors", "mysqladmin flush-hosts"),
        ("Too many connections", "wait until sessions have ended, or raise galera.max_connections"),
        ("Access denied for user 'root'", "kbz adopt galera --take-credentials"),
    ],
)
def test_a_node_that_does_not_let_us_in_is_refused_with_the_way_in(denied: str, way: str) -> None:
    live = World.healthy().live()
    view = live.hosts["maria-2"]
    answer = Answer("galera.node", {"denied": denied, "rows": {}})
    view = replace(view, answers={**view.answers, "galera.node": answer})
    error = refused(replace(live, hosts={**live.hosts, "maria-2": view}))
    assert (error.where, denied in str(error), way in str(error)) == ("maria-2", True, True)


class TestBirth:
    def test_a_container_without_data_beside_the_first_is_refused(self) -> None:
        world = World.empty()
        exited(world, "maria-2")
        error = refused(world.live())  # before anything is prepared
        assert error.where == "maria-2"
        assert "remove it by hand (docker rm -f mariadb)" in str(error)


class TestStopped:
    """All members were stopped in order: none knows how to go on by itself."""

    def stopped(self) -> World:
        world = World.healthy()
        world.stop(*HOSTS)
        hurt(world, CONF, *HOSTS, digest="another")
        return world

    def test_our_own_cluster_gets_its_files_first(self) -> None:
        """`kbz recover galera` starts containers that read them."""
        stage = next_stage(self.stopped().live())
        assert stage is not None
        assert stage.name == "prepare"
        assert {change.identity for change in stage.changes} == {CONF}

    def test_an_old_deployment_is_refused_before_a_file_is_written(self) -> None:
        world = self.stopped()
        for host in HOSTS:
            del world.nodes[host].states[START]
        error = refused(world.live())
        assert "the cluster is stopped" in error.what


class TestBootstrap:
    def test_it_says_what_becomes_of_the_container(self) -> None:
        live = World.healthy().live()
        [change] = bootstrap(live, "maria-1", lambda container: container).changes
        assert change.action is Action.UPDATE
        assert [(d.attribute, d.observed, d.wanted) for d in change.differences] == [
            ("running", False, True),
            ("restart", "unless-stopped", "no"),
        ]

    def test_also_where_there_is_none(self) -> None:
        live = World.empty().live()
        [change] = bootstrap(live, "maria-1", lambda container: container).changes
        assert change.action is Action.CREATE
        assert [(d.attribute, d.observed, d.wanted) for d in change.differences] == [
            ("running", None, True),
            ("restart", None, "no"),
        ]


class TestOneByOne:
    """Of two that need the same, the first by name comes first, and the other one stays as it is."""

    def test_two_marks_are_taken_away_one_after_the_other(self) -> None:
        world = World.healthy()
        hurt(world, MARKER_ID, "maria-1", "maria-2", there=True)
        stage = next_stage(world.live())
        assert stage is not None
        assert stage.name == "the first start has ended"
        assert [(change.host, change.identity) for change in stage.changes] == [
            ("maria-1", MARKER_ID)
        ]

    def test_two_with_the_bootstrap_flag_are_replaced_one_after_the_other(self) -> None:
        world = World.healthy()
        hurt(world, CONTAINER_ID, "maria-1", "maria-2", environment=(FLAG,))
        stage = next_stage(world.live())
        assert stage is not None
        assert stage.name == "replace mariadb on maria-1"


def test_newer_data_is_refused_with_the_version_that_the_image_opens() -> None:
    world = World.healthy()
    hurt(world, DATA_ID, "maria-2", loadable=False, newest="99.9")
    [opens] = [
        resource.newest
        for resource in world.live().hosts["maria-2"].resources
        if isinstance(resource, MariadbData)
    ]
    assert f"by MariaDB 99.9; the frozen image opens {opens}" in str(refused(world.live()))
    assert "into versions.yaml as `mariadb-galera`" in refused(world.live()).hint


def test_for_data_in_another_layout_no_version_is_told() -> None:
    world = World.healthy()
    hurt(world, DATA_ID, "maria-2", layout="official")
    assert refused(world.live()).hint == (
        "nothing was written; data is never converted, moved or removed by a run"
    )


class TestWithoutPrimary:
    def test_running_members_that_are_alone_are_waited_for(self) -> None:
        world = World.healthy()
        for node in world.nodes.values():
            node.primary = False
        stage = next_stage(world.live())
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())
        assert stage.after is not None
        assert stage.after.reason(world.live()) is not None
        assert stage.after.reason(World.healthy().live()) is None

    def test_a_bare_member_alone_starts_nothing(self) -> None:
        """It has nothing to form a cluster from, and the others are stopped and not selected."""
        world = World.healthy()
        world.crash(*HOSTS)
        wipe(world, "maria-1")
        stage = next_stage(world.live({"maria-1"}))
        assert stage is not None
        assert stage.name == "prepare"
        world.apply(stage)
        assert next_stage(world.live({"maria-1"})) is None

    def test_those_that_hold_data_start_while_one_is_out_of_sight(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        world.nodes["maria-3"].reachable = False
        stage = next_stage(world.live())
        assert stage is not None
        assert stage.name == "start together"
        assert [change.host for change in stage.changes] == ["maria-1", "maria-2"]

    def test_two_marks_prove_no_first_start(self) -> None:
        """All can be read, none holds data, and no one says which of two first starts counts."""
        world = World.empty()
        for _ in range(2):
            stage = next_stage(world.live())
            assert stage is not None
            world.apply(stage)
        hurt(world, MARKER_ID, "maria-2", there=True)
        assert next_stage(world.live()) is None


class TestSettle:
    def test_a_member_that_is_on_its_way_is_waited_for(self) -> None:
        world = World.healthy()
        world.nodes["maria-2"].settled = False
        stage = next_stage(world.live({"maria-1"}))
        assert stage is not None
        assert stage.name == "wait"

    def test_not_by_a_run_of_another_member_that_is_out_of_sight(self) -> None:
        world = World.healthy()
        world.nodes["maria-1"].reachable = False
        world.nodes["maria-2"].settled = False
        assert next_stage(world.live({"maria-1"})) is None

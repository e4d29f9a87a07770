"""The stages and refusals of Galera's rollout, each for what it says and waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action
from keybuzz.model.core.reading import Answer
from tasks.galera.desired import STATUS
from tasks.galera.members import CONTAINER_ID
from tasks.galera.rollout import bootstrap, next_stage, refuse_foreign
from tests.unit.tasks.galera.galera_world import HOSTS, World
from tests.unit.tasks.galera.test_rollout_galera import exited, hurt
from tests.unit.tasks.galera.test_switches_galera import saying


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
        error = refused(_prepared(world))
        assert error.where == "maria-2"
        assert "remove it by hand (docker rm -f mariadb)" in str(error)


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


def _prepared(world: World) -> Live:
    """Return the state after the stage that prepares the hosts."""
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.name == "prepare"
    world.apply(stage)
    return world.live()

"""What Patroni's rollout refuses, and who may start when no member is up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.patroni.rollout import next_stage, refuse_known_foreign
from tasks.patroni.values import RAFT
from tests.unit.tasks.patroni.cluster_world import CONTAINER, World, damaged
from tests.unit.tasks.patroni.test_rollout_patroni import stop

IDENTITY = "patroni-identity:cluster"


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


class TestForeign:
    def test_several_differences_are_told_with_the_host_and_the_way_out(self) -> None:
        world = World.healthy(3)
        states = world.nodes["db-2"].states
        world.nodes["db-2"].states = damaged(
            states, IDENTITY, scope="other-pg", postgres_major="17"
        )
        error = refused(world.live())
        assert error.what == (
            "the live cluster is not the described one: postgres_major is 17, described as 16, "
            "scope is other-pg, described as keybuzz-pg"
        ) or error.what == (
            "the live cluster is not the described one: scope is other-pg, described as keybuzz-pg, "
            "postgres_major is 17, described as 16"
        )
        assert error.where == "db-2"
        assert error.hint == (
            "adopt it: put the live values into postgres.env and versions.yaml, then kbz plan"
        )

    def test_what_cannot_be_read_refuses_a_run_and_not_a_look_ahead(self) -> None:
        world = World.healthy(3)
        state = State(IDENTITY, False, problem="Permission denied: PG_VERSION")
        world.nodes["db-2"].states = {**world.nodes["db-2"].states, IDENTITY: state}
        error = refused(world.live())
        assert error.what == "what lives here cannot be told: Permission denied: PG_VERSION"
        assert error.where == "db-2"
        assert error.hint == (
            "mend that first; nothing is written over a cluster that is not known"
        )
        refuse_known_foreign(world.live())

    def test_data_of_another_cluster_than_the_leaders_is_refused(self) -> None:
        world = World.healthy(3, leader="db-1")
        states = world.nodes["db-3"].states
        world.nodes["db-3"].states = damaged(states, IDENTITY, system="7301")
        live = world.live()
        view = live.hosts["db-1"]
        own = view.answers["patroni.self"]

        def led_by(system: str) -> Live:
            document = {**own.value["json"], "database_system_identifier": system}
            answer = Answer(own.name, {"status": 200, "json": document})
            changed = replace(view, answers={**view.answers, own.name: answer})
            return replace(live, hosts={**live.hosts, "db-1": changed})

        error = refused(led_by("7302"))
        assert error.what == (
            "its data is of another cluster: system identifier 7301, the leader has 7302"
        )
        assert error.where == "db-3"
        assert "nothing was written; keep what" in error.hint
        with pytest.raises(RefusedError, match="7301"):
            refuse_known_foreign(led_by("7302"))
        assert next_stage(led_by("7301")) is None
        assert next_stage(replace(led_by("7302"), selected=frozenset({"db-1"}))) is None
        assert next_stage(live) is None, "a leader that does not tell proves nothing"

    @pytest.mark.parametrize("kept", ["votes", "data", "container", "unread"])
    def test_old_votes_are_those_beside_neither_data_nor_a_container(self, kept: str) -> None:
        world = World.healthy(3)
        bare = World.empty(3).nodes["db-2"]
        bare.votes = True
        bare.data = kept == "data"
        if kept == "container":
            bare.states = damaged(bare.states, CONTAINER, running=False)
            bare.states[CONTAINER] = replace(bare.states[CONTAINER], present=True)
        world.nodes["db-2"] = bare
        live = world.live()
        if kept == "unread":
            view = live.hosts["db-2"]
            mute = Answer("patroni.raft", problem="Input/output error")
            view = replace(view, answers={**view.answers, "patroni.raft": mute})
            live = replace(live, hosts={**live.hosts, "db-2": view})
        if kept != "votes":
            found = next_stage(live)
            assert found is not None
            assert found.name == "prepare"
            return
        error = refused(live)
        assert error.where == "db-2"
        assert error.what.startswith(f"{RAFT} holds the RAFT log of an earlier life")
        assert f"keep what {RAFT} holds elsewhere and empty it" in error.hint
        found = next_stage(world.live(["db-1"]))
        assert found is None or found.name == "wait"


class TestColdStart:
    def prepared(self, world: World) -> World:
        found = next_stage(world.live())
        assert found is not None
        assert found.name == "prepare"
        world.apply(found)
        return world

    def test_a_first_start_without_a_member_is_refused_with_the_way_out(self) -> None:
        world = self.prepared(World.empty(3))
        world.nodes["db-2"].reachable = False
        error = refused(world.live())
        assert error.what == "a first start needs all 3 members; db-2 cannot be read"
        assert (error.where, error.hint) == (
            "patroni",
            "bring it back, or take it out of servers.tsv",
        )
        world.nodes["db-2"].reachable = True
        error = refused(world.live(["db-3"]))
        assert error.what == "a first start needs all 3 members; --limit leaves out db-1, db-2"
        assert (error.where, error.hint) == ("patroni", "kbz run patroni --limit db")

    @pytest.mark.parametrize("holders", [1, 2])
    def test_half_of_the_members_with_data_is_no_majority(self, holders: int) -> None:
        """Of four, two that hold data are as few as one: the empty ones would be the other half."""
        world = World.healthy(4)
        hosts = [f"db-{number}" for number in range(1, 5)]
        stop(world, *hosts)
        for host in hosts[holders:]:
            world.nodes[host] = World.empty(4).nodes[host]
        self.prepared(world)
        error = refused(world.live())
        assert error.what == (
            f"no member is up, and {', '.join(hosts[:holders])} of 4 members have data: too few of them "
            "can start for a majority, and empty ones must not start first"
        )
        assert error.where == "patroni"
        assert error.hint.startswith("bring back the members with data (all of them in --limit)")

    def test_one_that_is_stopped_and_left_out_counts_for_no_majority(self) -> None:
        world = World.healthy(3)
        stop(world, "db-1", "db-2", "db-3")
        error = refused(world.live(["db-1"]))
        assert "too few of them can start for a majority" in error.what

    def test_those_that_run_and_hold_data_count_for_the_majority(self) -> None:
        """Their Patroni says nothing yet: it waits for the votes of the one that is started."""
        world = World.healthy(3)
        stop(world, "db-2", "db-3")
        live = world.live(["db-2"])
        view = live.hosts["db-1"]
        names = ("patroni.self", "patroni.cluster")
        mute = {name: Answer(name, problem="Connection refused") for name in names}
        view = replace(view, answers={**view.answers, **mute})
        found = next_stage(replace(live, hosts={**live.hosts, "db-1": view}))
        assert found is not None
        assert (found.name, found.hosts) == ("start", ("db-2",))

    def test_an_empty_one_starts_when_those_with_data_run_already(self) -> None:
        world = World.healthy(3)
        world.nodes["db-3"] = World.empty(3).nodes["db-3"]
        self.prepared(world)
        live = world.live()
        for host in ("db-1", "db-2"):
            view = live.hosts[host]
            names = ("patroni.self", "patroni.cluster")
            mute = {name: Answer(name, problem="Connection refused") for name in names}
            view = replace(view, answers={**view.answers, **mute})
            live = replace(live, hosts={**live.hosts, host: view})
        found = next_stage(live)
        assert found is not None
        assert (found.name, found.hosts) == ("start", ("db-3",))

    def test_a_listing_that_could_not_be_made_counts_as_data(self) -> None:
        world = self.prepared(World.empty(3))
        live = world.live()
        view = live.hosts["db-2"]
        mute = Answer("patroni.data", problem="Input/output error")
        view = replace(view, answers={**view.answers, "patroni.data": mute})
        error = refused(replace(live, hosts={**live.hosts, "db-2": view}))
        assert "no member is up, and db-2 of 3 members have data" in error.what

"""The stages of the entry to MariaDB, each for whom it changes first and what it waits for."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.reading import Answer
from tasks.proxysql.rollout import GOOD_TIMEOUT, next_stage
from tests.unit.tasks.proxysql.proxysql_world import CNF, CONTAINER, HOSTS, MONITOR, USERS, World

ONE, TWO = HOSTS
OLD = "proxysql/proxysql:2.5.0 (old)"


def staged(world: World, *selected: str) -> Stage:
    stage = next_stage(world.live(selected or HOSTS))
    assert stage is not None
    return stage


def told(gate: Gate | None, live: Live) -> str | None:
    assert gate is not None
    return gate.reason(live)


def shape(gate: Gate | None) -> tuple[str, float]:
    assert gate is not None
    return gate.name, gate.timeout


def outdated(*hosts: str) -> World:
    world = World.healthy()
    for host in hosts:
        world.damage(host, CONTAINER, image=OLD)
    return world


def unsettled(*hosts: str) -> World:
    world = World.healthy()
    for host in hosts:
        world.nodes[host].settled = False
    return world


def admin(live: Live, host: str, answer: Answer) -> Live:
    """Return what the engine sees when the admin port of a host says something else."""
    view = live.hosts[host]
    view = replace(view, answers={**view.answers, "proxysql.admin": answer})
    return replace(live, hosts={**live.hosts, host: view})


class TestWhoComesFirst:
    def test_of_two_that_are_good_the_first(self) -> None:
        stage = staged(outdated(*HOSTS))
        assert (stage.name, stage.hosts) == (f"change {ONE}", (ONE,))

    def test_one_that_is_not_good_before_one_that_is(self) -> None:
        world = outdated(*HOSTS)
        world.nodes[TWO].settled = False
        assert staged(world).hosts == (TWO,)

    def test_one_that_need_not_be_interrupted_before_one_that_must(self) -> None:
        world = outdated(ONE)
        world.damage(TWO, MONITOR, runtime=())
        assert staged(world).hosts == (TWO,)
        world = outdated(ONE)
        world.nodes[ONE].settled = False
        world.damage(TWO, MONITOR, runtime=())
        assert staged(world).hosts == (ONE,), "what is not good comes first all the same"


class TestChange:
    def test_what_interrupts_nobody_comes_first_on_a_host_that_serves(self) -> None:
        world = outdated(ONE)
        world.damage(ONE, CNF, digest="other")
        stage = staged(world)
        assert [change.identity for change in stage.changes] == [CNF]
        assert stage.before is None
        assert shape(stage.after) == (f"the admin port of {ONE} answers", GOOD_TIMEOUT)
        assert told(stage.after, world.live()) is None

    def test_one_that_serves_nobody_gets_all_at_once(self) -> None:
        world = outdated(ONE)
        world.damage(ONE, CNF, digest="other")
        world.damage(ONE, CONTAINER, running=False)
        stage = staged(world)
        assert {change.identity for change in stage.changes} == {CNF, CONTAINER}
        assert stage.before is None

    def test_one_that_serves_is_interrupted_when_the_other_serves_alone(self) -> None:
        stage = staged(outdated(ONE))
        assert shape(stage.before) == (f"{TWO} serves alone", GOOD_TIMEOUT)
        assert told(stage.before, World.healthy().live()) is None
        assert told(stage.before, unsettled(TWO).live()) is not None
        assert told(stage.before, unsettled(ONE).live()) is None
        assert shape(stage.after) == (f"{ONE} is proven good", GOOD_TIMEOUT)
        assert told(stage.after, unsettled(ONE).live()) is not None
        assert told(stage.after, unsettled(TWO).live()) is None
        assert told(stage.after, World.healthy().live()) is None

    def test_one_that_is_to_be_changed_too_must_carry_the_application_meanwhile(self) -> None:
        world = outdated(*HOSTS)
        stage = staged(world)
        assert shape(stage.before)[0] == f"{TWO} serves alone"
        assert told(stage.before, world.live()) is None
        world.nodes[TWO].reachable = False
        assert told(stage.before, world.live()) == f"{TWO} does not answer"

    def test_where_the_other_is_away_there_is_no_other_to_wait_for(self) -> None:
        world = outdated(ONE)
        world.nodes[TWO].reachable = False
        assert staged(world).before is None

    def test_a_change_that_interrupts_nobody_waits_for_no_other(self) -> None:
        world = World.healthy()
        world.damage(ONE, MONITOR, runtime=())
        stage = staged(world)
        assert stage.before is None
        assert shape(stage.after)[0] == f"{ONE} is proven good"

    def test_what_is_only_known_when_it_runs_is_compared_before_anything_is_proven(self) -> None:
        world = World.healthy()
        world.damage(TWO, CONTAINER)
        stage = staged(world)
        assert (stage.name, stage.hosts) == (f"change {TWO}", (TWO,))
        assert shape(stage.after) == (f"the admin port of {TWO} answers", GOOD_TIMEOUT)


class TestAnswers:
    def gate(self) -> Gate:
        world = World.healthy()
        world.damage(TWO, CONTAINER)
        found = staged(world).after
        assert found is not None
        return found

    def test_it_says_why_not(self) -> None:
        gate, live = self.gate(), World.healthy().live()
        silent = Answer("proxysql.admin", problem="Connection refused")
        assert gate.reason(admin(live, TWO, silent)) == f"{TWO}: Connection refused"
        shut = Answer("proxysql.admin", {"denied": "Access denied", "rows": {}})
        assert gate.reason(admin(live, TWO, shut)) == f"{TWO}: Access denied"
        mute = Answer("proxysql.admin", {"denied": "", "rows": {}})
        assert gate.reason(admin(live, TWO, mute)) == f"{TWO}: no answer"
        away = World.healthy()
        away.nodes[TWO].reachable = False
        assert gate.reason(away.live()) == f"{TWO} does not answer"
        assert gate.reason(admin(live, ONE, silent)) is None


class TestSettle:
    def test_hosts_on_their_way_are_waited_for_by_a_run_of_them(self) -> None:
        world = unsettled(TWO)
        stage = staged(world)
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("sessions are served", GOOD_TIMEOUT)
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy().live()) is None
        assert next_stage(world.live((ONE,))) is None
        assert next_stage(world.live(())) is None

    def test_one_that_is_stopped_is_not(self) -> None:
        world = World.healthy()
        world.damage(TWO, CONTAINER, running=False)
        live = world.live((TWO,))
        view = replace(live.hosts[TWO], changes=())
        assert next_stage(replace(live, hosts={**live.hosts, TWO: view})) is None

    def test_what_cannot_be_read_yet_is_waited_for_with_its_reason(self) -> None:
        gate = staged(unsettled(TWO)).after
        world = World.healthy()
        state = world.nodes[TWO].states[USERS]
        world.nodes[TWO].states = {
            **world.nodes[TWO].states,
            USERS: replace(state, present=False, problem="the admin port is silent"),
        }
        assert told(gate, world.live()) == f"{TWO}: the admin port is silent"
        assert staged(world).name == "wait"
        world.nodes[ONE].states = {
            **world.nodes[ONE].states,
            USERS: replace(state, present=False, problem="it is being written"),
        }
        assert told(gate, world.live()) == f"{ONE}: it is being written"

    def test_what_can_be_read_and_differs_is_the_next_stages(self) -> None:
        gate = staged(unsettled(TWO)).after
        world = unsettled(TWO)
        world.damage(TWO, USERS, memory=())
        assert told(gate, world.live()) is None

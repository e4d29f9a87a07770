"""The entry before Galera, led elsewhere for a restart by the real conductor, is led back however the run ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybuzz.agent.runtime.frames import json_frame
from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.fronts import take_back_first
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.engine.roll import rolling
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError, StepError, StoppedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.restart import ContainerRestart
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.module import Module
from tests.unit.support.scripted_hosts import Json, Script, result_of, scripted, sound, told
from tests.unit.support.site_values import described, memory_site
from tests.unit.tasks.proxysql.proxysql_world import HOSTS, NODES, World

SITE = memory_site()
RAISED = dict.fromkeys(HOSTS, NODES[1])
NONE = dict.fromkeys(HOSTS, "")


@dataclass
class Pair:
    """Two ProxySQL that do what they are told, and three nodes of Galera that answer."""

    marks: Path
    world: World = field(default_factory=World.healthy)
    refusing: str = ""
    """The host that refuses every change."""
    moves: list[tuple[str, str]] = field(default_factory=list)
    """Who was told to raise which node."""
    looks: list[str] = field(default_factory=list)
    """Who was looked at."""
    heard: list[events.Event] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def raised(self) -> dict[str, str]:
        return {host: node.raised for host, node in self.world.nodes.items()}

    def says(self, host: str, request: Json) -> list[bytes]:
        if not self.world.nodes[host].reachable:
            return []
        if request["op"] == "probe":
            self.looks.append(host)
            view = self.world.live(()).hosts[host]
            result = result_of(request)
            result["states"] = [
                {"present": state.present, "attributes": dict(state.attributes)}
                for state in (view.states[f"{r['kind']}:{r['name']}"] for r in request["resources"])
            ]
            result["answers"] = [
                {"value": view.answers[query["name"]].value} for query in request["readings"]
            ]
            return [json_frame({"id": request["id"], "result": result})]
        if host == self.refusing:
            return _refused(request)
        for change in request["changes"]:
            self.moves.append((host, change["order"]["node"]))
            self.world.nodes[host].raised = change["order"]["node"]
        return told(host, request)

    def conductor(self) -> Conductor:
        nodes = ("maria-01", "maria-02", "maria-03")
        script = Script(said={**dict.fromkeys(HOSTS, self.says), **dict.fromkeys(nodes, _does)})
        every = {module.name: module for module in all_modules()}
        galera = replace(
            every["galera"],
            checks=lambda live: (),
            members_up=lambda live: frozenset(live.hosts),
            next_stage=lambda live: None,
            foreign=lambda live: None,
        )
        return Conductor(
            scripted(script),
            SITE,
            (galera,),
            (galera, every["proxysql"]),
            described(SITE, galera),
            frozenset(nodes),
            self.heard.append,
            float("inf"),
            self.stop,
            Freeze(frozenset({"galera"}), NO_LIFT, FirstInstalls(self.marks)),
        )

    def restart(
        self, reason: Callable[[Live], str | None], timeout: float = 5.0
    ) -> KbzError | None:
        """Restart the node that takes the writes, with a gate after it; return what ended the run."""
        conductor = self.conductor()
        (galera,) = conductor.modules
        container = ContainerRestart("mariadb", seen="old")
        change = Change("maria-03", "galera", container, Action.UPDATE, disrupts=True)
        stage = Stage("restart", (change,), after=Gate("it is back", reason, timeout))
        return conductor.ending(lambda: conductor.stage(galera, stage, _seen(conductor)))


def _seen(conductor: Conductor) -> Snapshot:
    return observe(conductor.nornir, conductor.descriptions, Access.CHANGE)


def _does(host: str, request: Json) -> list[bytes]:
    return told(host, request) if request["op"] == "apply" else sound(host, request)


def _refused(request: Json) -> list[bytes]:
    end = {"outcome": "refused", "what": "memory differs", "hint": ""}
    return [
        json_frame({"id": request["id"], "event": {"step": 0, "phase": "started"}}),
        json_frame({"id": request["id"], "event": {"step": 0, "phase": "ended", **end}}),
        json_frame({"id": request["id"], "result": {"outcomes": [{"outcome": "refused"}]}}),
    ]


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("marks"))


def test_it_is_led_away_before_and_back_after(pair: Pair) -> None:
    seen: list[dict[str, str]] = []
    assert pair.restart(lambda live: seen.append(pair.raised)) is None
    assert seen == [RAISED]
    assert pair.raised == NONE


def test_it_is_led_back_with_its_stage_and_not_only_at_the_end_of_the_run(pair: Pair) -> None:
    conductor = pair.conductor()
    (galera,) = conductor.modules
    container = ContainerRestart("mariadb", seen="old")
    change = Change("maria-03", "galera", container, Action.UPDATE, disrupts=True)
    conductor.stage(galera, Stage("restart", (change,)), _seen(conductor))
    assert len(pair.moves) == 4
    assert (pair.raised, conductor.led) == (NONE, {})


def test_from_a_node_that_is_put_out_of_service_it_is_led_away_until_that_serves_again(
    pair: Pair,
) -> None:
    """Its entry in policies.yaml goes when it has been given back."""
    since = datetime.now(UTC)
    entry = Maintenance("maria-03", "a new disk", since, since + timedelta(hours=4))
    policies = replace(SITE.policies, maintenance=(entry,))
    conductor = replace(pair.conductor(), site=replace(SITE, policies=policies))
    (galera,) = conductor.modules
    container = ContainerRestart("mariadb", seen="old")
    change = Change("maria-03", "galera", container, Action.UPDATE, disrupts=True)
    stage = Stage("maintenance", (change,))
    cleared = conductor.cleared(galera, stage, _seen(conductor))
    assert (pair.raised, set(conductor.led)) == (RAISED, {"proxysql"})
    back = conductor.given_back(galera, stage, cleared)
    assert (pair.raised, conductor.led) == (NONE, {})
    assert "maria-03" in back.observations


def test_after_a_red_gate_it_is_led_back(pair: Pair) -> None:
    error = pair.restart(lambda live: "it is not back", timeout=0.0)
    assert isinstance(error, StepError)
    assert "it is not back" in error.what
    assert sorted(pair.moves[:2]) == sorted(RAISED.items())
    assert pair.raised == NONE


def test_after_a_stop_it_is_led_back_though_nothing_else_begins(pair: Pair) -> None:
    def stopped(live: Live) -> str:
        del live
        pair.stop.set()
        return "it is not back"

    assert isinstance(pair.restart(stopped), StoppedError)
    assert len(pair.moves) == 4
    assert pair.raised == NONE


def test_after_a_second_signal_it_is_led_back(pair: Pair) -> None:
    def interrupted(live: Live) -> str:
        raise KeyboardInterrupt

    assert isinstance(pair.restart(interrupted), StoppedError)
    assert len(pair.moves) == 4
    assert pair.raised == NONE


def test_it_is_led_back_although_the_node_stays_away(pair: Pair) -> None:
    def away(live: Live) -> str:
        del live
        for node in pair.world.nodes.values():
            node.offline = frozenset({NODES[2]})
        pair.world.writer = NODES[1]
        return "it is not back"

    assert isinstance(pair.restart(away, timeout=0.0), StepError)
    assert pair.raised == NONE


def test_one_that_cannot_be_led_back_is_named_with_the_way_out(pair: Pair) -> None:
    def lost(live: Live) -> str:
        del live
        pair.world.nodes[HOSTS[0]].reachable = False
        return "it is not back"

    error = pair.restart(lost, timeout=0.0)
    assert error is not None
    assert "it is not back" in error.what
    assert "proxysql may still lead elsewhere: proxysql-01 does not answer" in error.what
    assert error.hint.startswith("kbz run galera")
    assert pair.raised == {HOSTS[0]: NODES[1], HOSTS[1]: ""}


def _runs(conductor: Conductor, galera: Module) -> None:
    del galera
    conductor.run(_seen(conductor))


def _restarts(conductor: Conductor, galera: Module) -> None:
    rolling.roll(conductor, galera, (galera,), _seen(conductor))


@pytest.mark.parametrize("act", [_runs, _restarts])
def test_what_a_killed_run_has_left_the_next_takes_back_whatever_is_frozen(
    pair: Pair, act: Callable[[Conductor, Module], None]
) -> None:
    for node in pair.world.nodes.values():
        node.raised = NODES[1]
    conductor = pair.conductor()
    (galera,) = conductor.modules
    conductor.ending(lambda: act(conductor, galera))
    assert pair.raised == NONE
    assert len(pair.moves) == 2


def test_a_partial_move_is_undone(pair: Pair) -> None:
    pair.refusing = HOSTS[1]
    error = pair.restart(lambda live: None)
    assert isinstance(error, StepError)
    assert pair.moves == [(HOSTS[0], NODES[1]), (HOSTS[0], "")]
    assert pair.raised == NONE


def test_where_one_host_cannot_none_is_led_away_and_the_restart_goes_on(pair: Pair) -> None:
    pair.world.damage(HOSTS[1], "proxysql-tables:MYSQL SERVERS", memory=("mysql_servers weight=7",))
    assert pair.restart(lambda live: None) is None
    assert pair.moves == []
    [told_of] = [event for event in pair.heard if isinstance(event, events.NotLed)]
    assert told_of.reason.startswith("proxysql-02: its memory holds servers that do not run")


def test_a_run_that_has_read_the_entry_itself_asks_it_no_second_time(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    alone = pair.conductor()
    galera, front = alone.every_module
    both = replace(
        alone,
        modules=(galera, front),
        descriptions={**described(SITE, galera), **described(SITE, front)},
        selected=alone.selected | frozenset(HOSTS),
    )
    snapshot = _seen(both)
    assert sorted(pair.looks) == sorted(HOSTS)
    assert not take_back_first(both, snapshot)
    assert sorted(pair.looks) == sorted(HOSTS)
    for node in pair.world.nodes.values():
        node.raised = NODES[1]
    assert take_back_first(both, _seen(both))
    assert pair.raised == NONE

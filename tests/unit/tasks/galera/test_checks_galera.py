"""The checks of Galera: what is not well is said with its host, and what nobody knows is never good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.look.causes import explained
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.galera import MODULE
from tasks.galera.checks import checks, topology
from tasks.galera.desired import STATUS, VARIABLES
from tasks.galera.members import CONTAINER_ID, NO_HISTORY, up
from tasks.galera.ready import not_synced
from tests.unit.tasks.galera.galera_world import FLAG, HOSTS, World
from tests.unit.tasks.patroni.cluster_world import damaged


def worst(live: Live) -> dict[str, Finding]:
    """Return what is wrong, by check and host; what cannot be read for that is told under it."""
    found = (f for f in explained(checks(live), (MODULE,)) if f.level > Level.OK)
    told = (f for f in found if not (f.level is Level.UNKNOWN and f.cause))
    return {f"{f.check} {f.host}".strip(): f for f in told}


def answered(live: Live, host: str, statement: str, **changed: str) -> Live:
    """Return the state with some values of a node changed."""
    view = live.hosts[host]
    value = view.answers["galera.node"].value
    rows = [[name, changed.get(name, old)] for name, old in value["rows"][statement]]
    answer = Answer("galera.node", {**value, "rows": {**value["rows"], statement: rows}})
    seen = replace(view, answers={**view.answers, "galera.node": answer})
    return replace(live, hosts={**live.hosts, host: seen})


def test_a_whole_cluster_is_ok_everywhere() -> None:
    assert worst(World.healthy().live()) == {}
    assert up(World.healthy().live()) == frozenset(HOSTS)
    told = topology(World.healthy().live())
    assert told.cluster == "keybuzz-galera"
    assert dict(told.members[0].details) == {"size": "3", "seqno": "100", "flow control": "0.01"}


def test_two_of_three_are_not_well_and_the_reason_has_the_last_words_of_the_log() -> None:
    world = World.healthy()
    world.stop("maria-2")
    found = worst(world.live())
    assert set(found) == {
        "galera.cluster.one",
        "galera.node.synced maria-2",
        "galera.application.login maria-2",
    }
    assert found["galera.cluster.one"].message == "2 of 3 members"
    assert "7 restarts; last words" in found["galera.node.synced maria-2"].message


def test_no_primary_component_names_the_verb() -> None:
    world = World.healthy()
    world.stop(*HOSTS)
    assert worst(world.live())["galera.cluster.one"].hint == "kbz recover galera"


def test_a_cluster_without_a_history_is_not_well() -> None:
    """Servers that were killed and started without their position agree on nothing, and say Synced all the same."""
    live = World.healthy().live()
    for host in HOSTS:
        live = answered(live, host, STATUS, wsrep_cluster_state_uuid=NO_HISTORY)
    assert "no history" in worst(live)["galera.cluster.one"].message


def test_two_clusters_are_never_taken_for_one() -> None:
    live = answered(World.healthy().live(), "maria-1", STATUS, wsrep_cluster_state_uuid="another")
    assert "without each other" in worst(live)["galera.cluster.one"].message
    alone = World.healthy().live()
    for host in HOSTS:
        alone = answered(alone, host, STATUS, wsrep_cluster_size="1")
    assert "without each other" in worst(alone)["galera.cluster.one"].message
    assert not_synced(live, HOSTS) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wsrep_local_state_comment", "Donor/Desynced"),
        ("wsrep_cluster_status", "non-Primary"),
        ("wsrep_ready", "OFF"),
    ],
)
def test_only_synced_primary_and_ready_counts(name: str, value: str) -> None:
    live = answered(World.healthy().live(), "maria-2", STATUS, **{name: value})
    assert worst(live)["galera.node.synced maria-2"].level is Level.CRITICAL
    assert up(live) == {"maria-1", "maria-3"}
    assert not_synced(live, HOSTS) is not None


def test_a_flag_left_by_hand_is_critical() -> None:
    world = World.healthy()
    states = world.nodes["maria-1"].states
    world.nodes["maria-1"].states = damaged(states, CONTAINER_ID, environment=(FLAG,))
    found = worst(world.live())["galera.bootstrap.flag maria-1"]
    assert (found.level, found.hint) == (Level.CRITICAL, "kbz run galera replaces it")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("binlog_format", "STATEMENT"),
        ("wsrep_node_address", ""),
        ("wsrep_sst_method", "mariabackup"),
    ],
)
def test_a_value_that_the_running_server_does_not_have_is_critical(name: str, value: str) -> None:
    live = answered(World.healthy().live(), "maria-3", VARIABLES, **{name: value})
    assert name in worst(live)["galera.settings.live maria-3"].message


@pytest.mark.parametrize(("share", "level"), [("0.2", Level.WARN), ("", Level.UNKNOWN)])
def test_writes_that_are_held_back_are_told(share: str, level: Level) -> None:
    live = answered(World.healthy().live(), "maria-1", STATUS, wsrep_flow_control_paused=share)
    assert worst(live)["galera.flow_control.paused maria-1"].level is level


def test_a_host_that_was_not_asked_is_unknown() -> None:
    world = World.healthy()
    world.nodes["maria-3"].reachable = False
    found = worst(world.live())["galera.member.reachable maria-3"]
    assert (found.level, found.message) == (Level.UNKNOWN, "no route")
    assert MODULE.topology is not None
    assert MODULE.topology(world.live()).members[2].state == "unreachable"

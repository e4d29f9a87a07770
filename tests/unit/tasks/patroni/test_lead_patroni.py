"""`kbz switchover patroni`: who leads, who could take over, and the stage that hands over to one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.patroni.lead import SWITCHOVER
from tasks.patroni.rollout import release
from tasks.patroni.service.resources import PatroniLeader
from tasks.patroni.values import MAXIMUM_LAG
from tests.unit.tasks.patroni.cluster_world import World, site_of

SERVERS = site_of(3).members("patroni")


def unable(live: Live) -> dict[str, str]:
    return {found.host: found.unable for found in SWITCHOVER.candidates(live, SERVERS)}


def told(live: Live, host: str, **own: Any) -> Live:
    """Return the state in which a member says this of itself, and all say the same of it."""
    views = dict(live.hosts)
    for name, view in views.items():
        answers = dict(view.answers)
        cluster: Any = answers["patroni.cluster"].value["json"]
        members = [{**m, **own} if m["name"] == host else m for m in cluster["members"]]
        value = {"status": 200, "json": {**cluster, "members": members}}
        answers["patroni.cluster"] = Answer("patroni.cluster", value)
        if name == host:
            mine: Any = answers["patroni.self"].value["json"]
            more = {key: own[key] for key in ("tags", "pause") if key in own}
            answers["patroni.self"] = Answer(
                "patroni.self", {"status": 200, "json": {**mine, **more}}
            )
        views[name] = replace(view, answers=answers)
    return replace(live, hosts=views)


def test_the_lead_goes_to_the_member_that_is_named() -> None:
    world = World.healthy(3, leader="db-2")
    assert SWITCHOVER.leads(world.live(), SERVERS) == "db-2"
    stage = SWITCHOVER.stage(world.live(), SERVERS[1], SERVERS[2])
    [change] = stage.changes
    assert isinstance(change.resource, PatroniLeader)
    assert change.resource.heir == "db-3"
    assert change.resource.order()["heir"] == "db-3"
    assert (change.host, stage.heirs, disrupted(stage)) == ("db-2", ("db-3",), frozenset())
    assert stage.after is not None
    assert stage.after.reason(world.live()) == "no new leader yet"
    world.apply(stage)
    assert world.leader == "db-3"
    assert stage.after.reason(world.live()) is None


def test_another_member_than_the_named_one_opens_no_gate() -> None:
    world = World.healthy(3, leader="db-2")
    stage = SWITCHOVER.stage(world.live(), SERVERS[1], SERVERS[2])
    world.leader = "db-1"
    assert stage.after is not None
    assert stage.after.reason(world.live()) == "db-1 leads instead of db-3"


def test_all_good_replicas_can_take_over() -> None:
    assert unable(World.healthy(3).live()) == {"db-2": "", "db-3": ""}


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"tags": {"nofailover": True}}, "nofailover"),
        ({"tags": {"failover_priority": 0}}, "failover_priority 0"),
        ({"state": "starting"}, "it is starting, not streaming"),
        ({"lag": "unknown"}, "is not known"),
        ({"lag": MAXIMUM_LAG + 1}, f"{MAXIMUM_LAG + 1} bytes behind"),
        ({"pause": True}, "maintenance mode"),
    ],
)
def test_a_member_that_could_not_lead_is_told_with_its_reason(
    own: dict[str, Any], why: str
) -> None:
    live = told(World.healthy(3).live(), "db-3", **own)
    assert why in unable(live)["db-3"]


def test_a_member_that_is_away_or_silent_cannot_take_over() -> None:
    world = World.healthy(3)
    world.nodes["db-3"].reachable = False
    assert unable(world.live()) == {"db-2": "", "db-3": "no route"}
    live = World.healthy(3).live()
    mute = replace(
        live.hosts["db-3"],
        answers={"patroni.self": Answer("patroni.self", problem="Connection refused")},
    )
    live = replace(live, hosts={**live.hosts, "db-3": mute})
    assert "Connection refused" in unable(live)["db-3"]


def test_without_one_leader_there_is_nothing_to_hand_over() -> None:
    world = World.healthy(3)
    world.leader = None
    with pytest.raises(RefusedError, match="no member leads"):
        SWITCHOVER.leads(world.live(), SERVERS)


def test_a_host_in_maintenance_is_not_made_the_leader_by_a_roll() -> None:
    """Patroni would choose among all: it knows of no maintenance."""
    live = World.healthy(3, leader="db-1").live()
    servers = {server.name: server for server in live.members}
    for away in ("db-2", "db-3"):
        stage = release(replace(live, resting=(servers[away],)), "db-1")
        [heir] = {"db-2", "db-3"} - {away}
        assert stage is not None
        assert stage.heirs == (heir,)
        [change] = stage.changes
        assert isinstance(change.resource, PatroniLeader)
        assert change.resource.heir == heir
    for resting in ((), (servers["db-2"], servers["db-3"])):
        free = release(replace(live, resting=resting), "db-1")
        assert free is not None
        assert free.heirs == ("db-2", "db-3"), "Patroni chooses, or none is awake"

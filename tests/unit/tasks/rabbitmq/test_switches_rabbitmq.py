"""What was left on in RabbitMQ, and nodes in parts: found, judged, and counted by who sees whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.engine.change.guard import cluster_of
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.rabbitmq import MODULE
from tasks.rabbitmq.checks import checks
from tasks.rabbitmq.members import able, maintained, together, up
from tasks.rabbitmq.rollout import release
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, USER, World, name


def told(live: Live, check: str) -> list[Finding]:
    return [item for item in checks(live) if item.check == check and item.level > Level.OK]


def saying(live: Live, host: str, **more: Any) -> Live:
    """Return the state with some of a node's words changed."""
    view = live.hosts[host]
    value = {**view.answers["rabbitmq.node"].value, **more}
    answers = {**view.answers, "rabbitmq.node": Answer("rabbitmq.node", value)}
    return replace(live, hosts={**live.hosts, host: replace(view, answers=answers)})


def split(*, healed: bool) -> Live:
    """Return two and one: as they tell it while the network is cut, and after it is back under `ignore` (S-20)."""
    live = World.healthy().live()
    first, second, third = HOSTS
    everybody = [name(host) for host in HOSTS]
    pair = [name(first), name(second)]
    for host in (first, second):
        live = saying(
            live,
            host,
            running=everybody if healed else pair,
            apart=[name(third)],
            partitions=everybody if healed else [name(third)],
        )
    return saying(
        live,
        third,
        running=everybody if healed else [name(third)],
        apart=pair,
        partitions=everybody if healed else pair,
    )


class TestPartition:
    @pytest.mark.parametrize("healed", [False, True])
    def test_the_largest_set_that_sees_each_other_counts(self, healed: bool) -> None:
        live = split(healed=healed)
        assert together(live) == (frozenset(HOSTS[:2]), frozenset(HOSTS[2:]))
        assert up(live) == set(HOSTS[:2])
        counted = cluster_of(MODULE, live)
        assert (len(counted.up), counted.spare) == (2, 0)

    def test_the_way_out_restarts_the_smaller_part_and_nothing_holds_it_back(self) -> None:
        live = split(healed=True)
        [found] = told(live, "rabbitmq.cluster.whole")
        assert f"kbz restart rabbitmq --limit {HOSTS[2]}" in found.hint
        assert release(live, HOSTS[2]) is None
        assert {i.id for i in MODULE.check_infos if i.lasting} >= {"rabbitmq.partitions.none"}

    def test_three_parts_are_joined_by_hand_for_no_restart_is_let_through(self) -> None:
        """`kbz restart` stops no member where no part has a majority: the hint named one that it refused."""
        live = World.healthy().live()
        for host in HOSTS:
            others = [name(other) for other in HOSTS if other != host]
            live = saying(live, host, running=[name(host)], apart=others, partitions=others)
        counted = cluster_of(MODULE, live)
        assert len(counted.up) < counted.majority
        [found] = told(live, "rabbitmq.cluster.whole")
        assert "kbz restart" not in found.hint
        stop, start = (
            f"kbz exec --limit {HOSTS[1]},{HOSTS[2]} -- docker {verb} rabbitmq"
            for verb in ("stop", "start")
        )
        assert 0 < found.hint.index(stop) < found.hint.index(start)

    def test_a_whole_cluster_is_in_one_part(self) -> None:
        assert together(World.healthy().live()) == (frozenset(HOSTS),)


def test_a_node_in_maintenance_is_told_by_the_others_with_the_way_out() -> None:
    """S-24: `rabbitmq-upgrade drain` closes the node's own listeners, its API too."""
    live = World.healthy().live()
    silent = replace(
        live.hosts[HOSTS[2]],
        answers={
            **live.hosts[HOSTS[2]].answers,
            "rabbitmq.node": Answer("rabbitmq.node", problem="Connection refused"),
        },
    )
    live = replace(live, hosts={**live.hosts, HOSTS[2]: silent})
    live = saying(
        saying(live, HOSTS[0], drained=[name(HOSTS[2])]), HOSTS[1], drained=[name(HOSTS[2])]
    )
    [found] = told(live, "rabbitmq.node.maintenance")
    assert (found.host, found.hint.endswith("rabbitmq-upgrade revive")) == (HOSTS[2], True)
    assert maintained(live) == {HOSTS[2]}
    assert HOSTS[2] not in able(live)


def test_an_alarm_is_not_waited_for_and_the_node_takes_nothing() -> None:
    """S-21."""
    live = saying(World.healthy().live(), HOSTS[0], alarms=["disk"])
    assert {i.id for i in MODULE.check_infos if i.lasting} >= {"rabbitmq.alarms.none"}
    assert able(live) == set(HOSTS[1:])


def test_an_administrator_that_no_file_describes_is_critical() -> None:
    """S-22: admin with the password admin."""
    live = saying(
        World.healthy().live(),
        HOSTS[0],
        users={USER: ["administrator"], "admin": ["administrator"]},
    )
    [found] = told(live, "rabbitmq.administrators.described")
    assert (found.level, "admin" in found.message) == (Level.CRITICAL, True)
    assert USER not in found.message
    assert (
        f"--limit {HOSTS[0]} -- docker exec rabbitmq rabbitmqctl set_user_tags admin" in found.hint
    )


def test_messages_on_one_node_only_are_told() -> None:
    """S-23."""
    [found] = told(
        saying(World.healthy().live(), HOSTS[0], classic=["orders"]), "rabbitmq.queues.copies"
    )
    assert (found.level, "orders" in found.message) == (Level.WARN, True)

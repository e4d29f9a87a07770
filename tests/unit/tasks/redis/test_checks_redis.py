"""Findings about Redis and Sentinel: what is wrong has an id, a level and a way out, and nothing else is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.look.causes import explained
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.redis import MODULE
from tasks.redis.checks import checks, not_ready, topology
from tasks.redis.members import master_name, masters, members, up
from tests.unit.tasks.redis.redis_world import (
    HOSTS,
    NAME,
    REDIS_CONTAINER,
    SENTINEL_CONTAINER,
    SETTINGS,
    World,
    address,
)

MASTER = "redis-2"


def answering(live: Live, host: str, reading: str, value: Any) -> Live:
    """Return the state with one answer replaced; None is silence."""
    answer = (
        Answer(reading, problem="Connection refused") if value is None else Answer(reading, value)
    )
    view = live.hosts[host]
    changed = replace(view, answers={**view.answers, reading: answer})
    return replace(live, hosts={**live.hosts, host: changed})


def telling(live: Live, host: str, section: str, **fields: str) -> Live:
    """Return the state with some fields of INFO different."""
    value = live.hosts[host].answer("redis.node").value
    known = {**value["replies"][f"INFO {section}"], **fields}
    replies = {**value["replies"], f"INFO {section}": known}
    return answering(live, host, "redis.node", {**value, "replies": replies})


def watching(live: Live, host: str, **fields: str) -> Live:
    """Return the state with some fields of a Sentinel's master different."""
    value = live.hosts[host].answer("redis.sentinel").value
    [known] = value["replies"]["SENTINEL MASTERS"]
    replies = {**value["replies"], "SENTINEL MASTERS": [{**known, **fields}]}
    return answering(live, host, "redis.sentinel", {**value, "replies": replies})


def limited(live: Live) -> Live:
    """Return the state with a memory limit, which the owner has not set so far."""
    hosts = {}
    for host, view in live.hosts.items():
        old = view.states[SETTINGS]
        state = replace(old, attributes={**old.attributes, "maxmemory": "67108864"})
        hosts[host] = replace(view, states={**view.states, SETTINGS: state})
    return replace(live, hosts=hosts)


def healthy() -> Live:
    return limited(World.healthy(MASTER).live())


def bad(live: Live) -> list[Finding]:
    """Return what is wrong; what cannot be read for that is told under it."""
    found = explained(checks(live), (MODULE,))
    return [f for f in found if f.level > Level.OK and not (f.level is Level.UNKNOWN and f.cause)]


def only(live: Live) -> tuple[str, Level, str]:
    (finding,) = bad(live)
    return finding.check, finding.level, finding.host


def test_a_healthy_cluster_is_healthy() -> None:
    live = healthy()
    assert bad(live) == []
    assert not_ready(live, HOSTS) is None
    assert up(live) == set(HOSTS)
    assert {finding.check for finding in checks(live)} == {
        "redis.member.reachable",
        "redis.master.single",
        "redis.node.answers",
        "redis.replica.link",
        "redis.aof.enabled",
        "redis.memory.limit",
        "redis.sentinel.answers",
        "redis.sentinel.agree",
        "redis.sentinel.quorum",
        "redis.sentinel.name",
        "redis.sentinel.failover",
        "redis.sentinel.login",
        "redis.units.none",
        "redis.version.same",
        "redis.takeover",
        "redis.replica.priority",
        "redis.users.described",
        "redis.writes.taken",
        "redis.replica.read-only",
    }


@pytest.mark.parametrize("master", HOSTS)
def test_any_member_may_be_master(master: str) -> None:
    """A legacy validation knew redis-01 as the master for ever, and was red after every failover."""
    live = limited(World.healthy(master).live())
    assert bad(live) == []
    assert masters(live) == (master,)


def test_two_masters_are_critical() -> None:
    live = telling(healthy(), "redis-1", "replication", role="master")
    found = {finding.check: finding for finding in bad(live)}
    assert found["redis.master.single"].level is Level.CRITICAL
    assert "redis-1 and redis-2 both are master" in found["redis.master.single"].message
    assert found["redis.sentinel.agree"].level is Level.CRITICAL
    assert not_ready(live, HOSTS) is not None


def test_a_replica_that_answers_pong_is_not_taken_for_a_master() -> None:
    """Legacy's check was PING: a replica says PONG as well, and got writes."""
    live = telling(healthy(), MASTER, "replication", role="slave", master_link_status="down")
    found = {finding.check: finding for finding in bad(live)}
    assert found["redis.master.single"].message.startswith("no node is master (")
    assert not_ready(live, HOSTS) is not None


def test_a_broken_link_is_critical_and_the_host_does_not_count() -> None:
    live = telling(healthy(), "redis-3", "replication", master_link_status="down")
    assert only(live) == ("redis.replica.link", Level.CRITICAL, "redis-3")
    assert up(live) == {"redis-1", "redis-2"}
    assert not_ready(live, HOSTS) == "redis-3: does not replicate from 10.0.0.124 yet"
    assert not_ready(live, ["redis-1", "redis-2"]) is None


def test_a_replica_of_somebody_else_is_critical() -> None:
    live = telling(healthy(), "redis-3", "replication", master_host=address("redis-1"))
    assert only(live) == ("redis.replica.link", Level.CRITICAL, "redis-3")
    assert not_ready(live, HOSTS) == "redis-3: does not replicate from 10.0.0.124 yet"


def test_sentinels_that_disagree_are_critical() -> None:
    live = watching(healthy(), "redis-3", ip=address("redis-1"))
    assert only(live) == ("redis.sentinel.agree", Level.CRITICAL, "")
    assert not_ready(live, HOSTS) == "redis-3: its Sentinel takes 10.0.0.123 for the master"


def test_sentinels_that_all_name_a_replica_are_critical() -> None:
    live = healthy()
    for host in HOSTS:
        live = watching(live, host, ip=address("redis-1"))
    assert only(live) == ("redis.sentinel.agree", Level.CRITICAL, "")


def test_no_quorum_is_said_in_sentinels_own_words() -> None:
    live = healthy()
    value = live.hosts["redis-1"].answer("redis.sentinel").value
    replies = {**value["replies"], f"SENTINEL CKQUORUM {NAME}": {"error": "NOQUORUM 1 usable"}}
    live = answering(live, "redis-1", "redis.sentinel", {**value, "replies": replies})
    assert only(live) == ("redis.sentinel.quorum", Level.CRITICAL, "redis-1")
    assert "NOQUORUM 1 usable" in bad(live)[0].message
    assert not_ready(live, HOSTS) is not None


def test_a_sentinel_that_knows_too_few_others_is_a_warning_and_not_ready() -> None:
    live = watching(healthy(), "redis-1", **{"num-other-sentinels": "1"})
    assert only(live) == ("redis.sentinel.quorum", Level.WARN, "redis-1")
    assert not_ready(live, HOSTS) == "redis-1: its Sentinel knows 1 others and 2 replicas"


@pytest.mark.parametrize("name", ["mymaster", "keybuzz-master"])
def test_another_name_for_the_master_is_reported_and_left_alone(name: str) -> None:
    """Three names were found (contradiction 30); only one is monitored for us."""
    live = healthy()
    value = live.hosts["redis-1"].answer("redis.sentinel").value
    masters_listed = [*value["replies"]["SENTINEL MASTERS"], {"name": name, "ip": "10.0.0.123"}]
    replies = {**value["replies"], "SENTINEL MASTERS": masters_listed}
    live = answering(live, "redis-1", "redis.sentinel", {**value, "replies": replies})
    assert only(live) == ("redis.sentinel.name", Level.WARN, "redis-1")
    [found] = bad(live)
    assert name in found.message
    assert f"-p 26379 SENTINEL REMOVE {name}" in found.hint


@pytest.mark.parametrize(
    "fields",
    [{"aof_enabled": "0"}, {"aof_last_write_status": "err"}, {"aof_last_bgrewrite_status": "err"}],
)
def test_an_append_only_file_that_is_off_or_broken_is_critical(fields: dict[str, str]) -> None:
    """A later repository switched it off "for the moment"."""
    live = telling(healthy(), "redis-3", "persistence", **fields)
    assert only(live) == ("redis.aof.enabled", Level.CRITICAL, "redis-3")


def test_no_memory_limit_is_a_warning_that_asks_the_owner() -> None:
    live = World.healthy(MASTER).live()
    assert {(f.check, f.level) for f in bad(live)} == {("redis.memory.limit", Level.WARN)}
    assert "the owner decides" in bad(live)[0].hint


def test_legacy_units_are_reported() -> None:
    names = {"there": True, "names": ["redis-sentinel.service", "multi-user.target.wants"]}
    live = answering(healthy(), "redis-1", "redis.units", names)
    assert only(live) == ("redis.units.none", Level.WARN, "redis-1")


def test_a_silent_redis_is_not_its_sentinel_and_the_other_way_round() -> None:
    """`grep redis` counted redis-sentinel too."""
    world = World.healthy(MASTER)
    old = world.nodes["redis-1"].states[REDIS_CONTAINER]
    world.nodes["redis-1"].states[REDIS_CONTAINER] = replace(
        old, attributes={**old.attributes, "running": False}
    )
    found = {finding.check for finding in bad(limited(world.live())) if finding.host == "redis-1"}
    assert "redis.node.answers" in found
    assert "redis.sentinel.answers" not in found
    assert up(world.live()) == {"redis-2", "redis-3"}
    world = World.healthy(MASTER)
    world.nodes["redis-1"].states[SENTINEL_CONTAINER] = State(SENTINEL_CONTAINER, False)
    found = {finding.check for finding in bad(limited(world.live())) if finding.host == "redis-1"}
    assert "redis.sentinel.answers" in found
    assert "redis.node.answers" not in found


def test_another_password_is_critical_and_says_what_to_do() -> None:
    denied = {"denied": "WRONGPASS invalid username-password pair", "replies": {}}
    live = answering(healthy(), "redis-3", "redis.node", denied)
    assert only(live) == ("redis.node.answers", Level.CRITICAL, "redis-3")
    assert "redis.env" in bad(live)[0].hint


def test_a_host_out_of_reach_is_unknown_and_not_fine() -> None:
    world = World.healthy(MASTER)
    world.nodes["redis-3"].reachable = False
    found = [finding for finding in bad(limited(world.live())) if finding.host == "redis-3"]
    assert [(f.check, f.level) for f in found] == [("redis.member.reachable", Level.UNKNOWN)]


def test_the_topology_names_everybody() -> None:
    world = World.healthy(MASTER)
    world.nodes["redis-3"].reachable = False
    found = topology(world.live())
    assert found.cluster == NAME
    assert [(m.host, m.role, m.state) for m in found.members] == [
        ("redis-1", "replica", "replicates"),
        ("redis-2", "master", "running"),
        ("redis-3", "?", "unreachable"),
    ]
    assert dict(found.members[0].details)["lag"] == "10 B"


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=4,
)
_keys = st.sampled_from(
    [
        "INFO server",
        "INFO replication",
        "INFO persistence",
        "SENTINEL MASTERS",
        f"SENTINEL CKQUORUM {NAME}",
    ]
)


@given(st.dictionaries(_keys, _junk), st.sampled_from(HOSTS))
def test_no_answer_makes_a_check_raise(replies: dict[str, Any], host: str) -> None:
    live = healthy()
    for reading in ("redis.node", "redis.sentinel"):
        live = answering(live, host, reading, {"denied": "", "replies": replies})
    assert master_name(live.hosts[host]) == NAME
    assert bad(live) != []
    assert set(members(live)) == set(HOSTS)
    topology(live)
    not_ready(live, HOSTS)

"""Findings about the entry to PostgreSQL, from what hosts answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.postgres_proxy.checks import checks, topology
from tasks.postgres_proxy.members import up
from tests.unit.tasks.postgres_proxy.proxy_world import CFG, HAPROXY, HOSTS, PGBOUNCER, USERS, World


def bad(live: Live) -> list[tuple[str, str, Level]]:
    return [(f.check, f.host, f.level) for f in checks(live) if f.level > Level.OK]


def finding(live: Live, check: str, host: str = "haproxy-01") -> Finding:
    (found,) = [f for f in checks(live) if f.check == check and f.host in (host, "")]
    return found


def test_everything_good_is_said_host_by_host() -> None:
    live = World.healthy().live()
    assert bad(live) == []
    assert finding(live, "postgres-proxy.backend.single").message == (
        "sessions go to db-master-01, the primary"
    )
    assert len(checks(live)) == 6 * 2 + 1


def test_more_than_one_server_up_is_critical() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].settled = False
    assert bad(world.live()) == [("postgres-proxy.backend.single", "haproxy-02", Level.CRITICAL)]


def test_a_server_that_is_up_and_is_not_patronis_primary_is_critical() -> None:
    """The incident of January: a demoted replica got the writes."""
    live = World.healthy().live()
    for host in HOSTS:
        answers = dict(live.hosts[host].answers)
        answers["postgres-proxy.primary.db-master-01"] = Answer(
            "postgres-proxy.primary.db-master-01", {"status": 503}
        )
        answers["postgres-proxy.primary.db-slave-02"] = Answer(
            "postgres-proxy.primary.db-slave-02", {"status": 200}
        )
        object.__setattr__(live.hosts[host], "answers", answers)
    found = finding(live, "postgres-proxy.backend.single")
    assert found.level is Level.CRITICAL
    assert found.message == ("sessions go to db-master-01, and Patroni's primary is db-slave-02")


def test_nobody_up_is_critical_and_points_to_patroni() -> None:
    world = World.healthy()
    world.primary = None
    found = finding(world.live(), "postgres-proxy.backend.single")
    assert found.level is Level.CRITICAL
    assert found.message == "sessions go to no member, and Patroni's primary is none"
    assert found.hint == "kbz health patroni"


def test_haproxy_02_left_with_a_stale_configuration_is_part_of_each_check() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    assert bad(world.live()) == [("postgres-proxy.parity", "", Level.CRITICAL)]
    assert "haproxy.cfg" in finding(world.live(), "postgres-proxy.parity").message
    world = World.healthy()
    world.damage("haproxy-01", USERS, digest="other")
    assert "userlist.txt" in finding(world.live(), "postgres-proxy.parity").message


def test_a_file_that_cannot_be_read_hides_no_other_that_differs() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    live = world.live()
    view = live.hosts["haproxy-01"]
    unread = replace(view.states[USERS], problem="Input/output error", attributes={})
    view = replace(view, states={**view.states, USERS: unread})
    found = finding(
        replace(live, hosts={**live.hosts, "haproxy-01": view}), "postgres-proxy.parity"
    )
    assert found.level is Level.CRITICAL
    assert found.message == "not the same on all hosts: haproxy.cfg"


def test_parity_with_one_host_out_of_sight_is_unknown() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    assert bad(world.live()) == [
        ("postgres-proxy.reachable", "haproxy-02", Level.UNKNOWN),
        ("postgres-proxy.parity", "", Level.UNKNOWN),
    ]


def test_a_process_that_has_not_taken_its_new_file_is_found() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].mark = "kbz-before"
    assert bad(world.live()) == [("postgres-proxy.loaded", "haproxy-01", Level.CRITICAL)]


@pytest.mark.parametrize("address", ["10.0.0.10", "10.0.0.11", "127.0.0.1"])
def test_wrong_binds_on_one_address_are_critical(address: str) -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].listens_on = address
    found = finding(world.live(), "postgres-proxy.listens")
    assert found.level is Level.CRITICAL
    assert f"5432: {address}" in found.message


def test_container_up_is_not_enough_a_refused_login_is_critical() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].refuses = "SASL authentication failed"
    assert bad(world.live()) == [("postgres-proxy.login", "haproxy-01", Level.CRITICAL)]


def test_a_login_that_ends_on_a_replica_is_critical() -> None:
    live = World.healthy().live()
    answers = dict(live.hosts["haproxy-01"].answers)
    row = {"accepted": True, "reason": "", "row": ["t", ""]}
    answers["postgres-proxy.login.6432"] = Answer("postgres-proxy.login.6432", row)
    object.__setattr__(live.hosts["haproxy-01"], "answers", answers)
    found = finding(live, "postgres-proxy.login")
    assert found.level is Level.CRITICAL
    assert "through 6432: it leads to a replica" in found.message


def test_ok_when_only_one_of_two_containers_ran_names_are_exact() -> None:
    """Once a filter by name took three containers for one, and said OK when only one of them ran."""
    world = World.healthy()
    world.damage("haproxy-01", PGBOUNCER, running=False)
    checked = {check for check, host, _ in bad(world.live()) if host == "haproxy-01"}
    assert checked == {"postgres-proxy.listens", "postgres-proxy.login"}
    assert up(world.live()) == {"haproxy-02"}


def test_who_takes_sessions_does_not_depend_on_postgresql() -> None:
    """The guard counts hosts: an election under way makes no host a lost one."""
    world = World.healthy()
    world.primary = None
    assert up(world.live()) == set(HOSTS)
    world.damage("haproxy-02", HAPROXY, running=False)
    assert up(world.live()) == {"haproxy-01"}


def test_the_topology_says_where_each_host_leads_and_who_is_connected() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    first, second = topology(world.live()).members
    assert (first.state, dict(first.details)) == (
        "serves",
        {"leader": "db-master-01", "clients": "7", "pooled clients": "2"},
    )
    assert (second.host, second.state) == ("haproxy-02", "unreachable")

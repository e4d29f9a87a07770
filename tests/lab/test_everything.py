"""`kbz run all` on bare servers of every module, used from outside, run again, and after a blackout.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.conftest import Kbz, until, write_site
from tests.lab.endpoints import CLIENT_ERRORS, ENDPOINTS, Applications, Endpoint

pytestmark = pytest.mark.lab

LAB = "kbz-everything"
GROUPS = "db,redis,queue,galera,haproxy,proxysql"
HOSTS = 16
MORE: dict[str, set[str]] = {
    "redis": {"link-cut", "switchover"},
    "galera": {"link-cut"},
}
"""Drills, with the scenarios that not every cluster has."""
MODULES = {
    "base",
    "patroni",
    "postgres-proxy",
    "redis",
    "redis-proxy",
    "rabbitmq",
    "rabbitmq-proxy",
    "galera",
    "proxysql",
    "k3s",  # none of its hosts is in this lab: it has nothing to do and nothing to say
}


@pytest.fixture(scope="module")
def kbz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """A lab of all servers that the modules so far run on, bare, with fresh credentials; gone at the end."""
    if os.geteuid() != 0:
        pytest.skip("the lab's network namespaces and containers need root")
    made = write_site(tmp_path_factory.mktemp("site"), LAB)
    made.good("lab", "down", "--wipe")
    try:
        made.good("lab", "up", "--limit", GROUPS, timeout=1200)
        made.good("secrets", "init")
        yield made
    finally:
        made.good("lab", "down", "--wipe")


@pytest.fixture(scope="module")
def applications(kbz: Kbz) -> Applications:
    return Applications(kbz, LAB)


def test_run_all_turns_bare_servers_into_every_service(kbz: Kbz) -> None:
    done = kbz.good("run", "all", "--limit", GROUPS, "--format", "json", timeout=1800)
    document = done.json()
    assert set(document["modules"]) == MODULES
    assert document["checked"] == {"answered": HOSTS, "selected": HOSTS}
    assert {finding["level"] for finding in document["findings"]} <= {"ok", "warn"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_application_works_at_the_official_endpoint(
    applications: Applications, endpoint: Endpoint
) -> None:
    applications.put(endpoint, 1)
    applications.put(endpoint, 2)
    assert applications.numbers(endpoint) == {1, 2}


def test_every_load_balancer_leads_where_it_should(kbz: Kbz) -> None:
    document = kbz("lb", "check", "--format", "json").json()
    asked = {probe["port"] for probe in document["probes"] if probe["verdict"] == "good"}
    assert asked == {5432, 6432, 6379, 5672, 3306}
    assert not [probe for probe in document["probes"] if probe["verdict"] == "bad"]


def test_the_second_run_changes_nothing(kbz: Kbz) -> None:
    document = kbz.good("run", "all", "--limit", GROUPS, "--format", "json").json()
    assert document["plan"]["size"] == 0
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
    assert set(document["round_trips"].values()) == {1}


def test_a_blackout_of_all_servers_loses_nothing(kbz: Kbz, applications: Applications) -> None:
    """Every plug is pulled and every server comes back: no bootstrap is forced, and nobody lends a hand."""
    for host in document_hosts(kbz):
        kbz.good("lab", "fault", "stop", host)
    kbz.good("lab", "up", "--limit", GROUPS, timeout=900)
    for endpoint in ENDPOINTS:
        until(
            lambda endpoint=endpoint: answers(applications, endpoint),
            300,
            f"{endpoint.name} to have what it acknowledged",
        )
    until(
        lambda: kbz("health", "all", "--limit", GROUPS).code == 0, 300, "all checks of all modules"
    )
    document = kbz.good("run", "all", "--limit", GROUPS, "--format", "json").json()
    assert document["plan"]["size"] == 0


@pytest.mark.parametrize("name", MORE)
def test_every_scenario_of_a_drill_recovers_without_a_lost_write_where_none_may_be_lost(
    kbz: Kbz, name: str
) -> None:
    """Those of Patroni and of its entry have a file of their own: test_drill_patroni.py."""
    done = kbz("drill", name, "--confirm", name, "--format", "json", timeout=1500)
    assert done.code == 0, done.stdout + done.stderr
    document = done.json()
    recovered = {t["scenario"] for t in document["trials"] if t["verdict"] == "recovered"}
    assert recovered >= {"container-killed", "container-stopped", "host-killed"} | MORE[name]
    for trial in document["trials"]:
        print(name, trial["scenario"], trial["seconds_without_writes"], trial["lost"])
        assert not trial["lost"] or not trial["durability_promised"]
        assert trial["verdict"] == "recovered" or trial["messages"], "not available, and no reason"
    kbz.good("health", "all", "--limit", GROUPS)


def document_hosts(kbz: Kbz) -> list[str]:
    return sorted(kbz("health", "base", "--limit", GROUPS, "--format", "json").json()["hosts"])


def answers(applications: Applications, endpoint: Endpoint) -> bool:
    try:
        return applications.numbers(endpoint) >= {1, 2}
    except CLIENT_ERRORS:
        return False

"""All services on one lab: used from outside, after a blackout, in drills, restarted, and on new machines.

The tests of this file build on each other, in the order of the file; test_faults_seen.py goes on with the lab.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import pytest

from tests.lab.conftest import SERVICES, Kbz, until
from tests.lab.ledgers.redis_ledger import RedisLedger
from tests.lab.support.endpoints import (
    CLIENT_ERRORS,
    ENDPOINTS,
    MARIADB,
    RABBITMQ,
    REDIS,
    Applications,
    Endpoint,
)
from tests.lab.support.machines import containers, pinned_anew
from tests.lab.support.writing import writing

pytestmark = [
    pytest.mark.lab,
    # pika leaves the sockets of a connection that failed to Python's collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]

DRILLS: dict[str, tuple[str, ...]] = {
    "redis": ("host-killed",),
    "galera": ("switchover", "link-cut"),
    "rabbitmq": ("container-killed",),
}
OTHER_DRILLS: dict[str, tuple[str, ...]] = {
    # Its hand-over while an application writes is in the restarts below.
    "redis": ("switchover", "container-killed", "container-stopped", "link-cut"),
    "galera": ("container-killed", "container-stopped", "host-killed"),
    # A container that was stopped is in test_rabbitmq.py.
    "rabbitmq": ("host-killed", "link-cut"),
}
CLUSTERS = {
    "redis": (REDIS, ("redis-01", "redis-02", "redis-03")),
    "rabbitmq": (RABBITMQ, ("queue-01", "queue-02", "queue-03")),
    "galera": (MARIADB, ("maria-01", "maria-02", "maria-03")),
}
"""The endpoint of each, and its members; those of Patroni have a file of their own: test_restart.py."""
ENTRY_HOSTS = ("haproxy-01", "proxysql-02")
NEW = {
    "redis-03": ("redis",),
    "queue-03": ("rabbitmq",),
    "maria-03": ("galera",),
    "proxysql-02": ("proxysql",),
    "haproxy-01": ("postgres-proxy", "redis-proxy", "rabbitmq-proxy"),
}
"""Hosts that bare machines are put in the place of, and what is built on each."""
ELSEWHERE = {"queue-03", "maria-03"}
"""Those of them that the files of their own services replace as well: only with --long."""
BOOT = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """All servers that carry a service for applications, converged whatever ran before."""
    services_lab.good("run", "all", *SERVICES, timeout=1800)
    return services_lab


@pytest.fixture(scope="module")
def applications(kbz: Kbz) -> Applications:
    return Applications(kbz)


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


def test_a_blackout_of_all_servers_loses_nothing(kbz: Kbz, applications: Applications) -> None:
    """Every plug is pulled and every server comes back: no bootstrap is forced, and nobody lends a hand."""
    for host in document_hosts(kbz):
        kbz.good("lab", "fault", "stop", host)
    kbz.good("lab", "up", *SERVICES, timeout=900)
    for endpoint in ENDPOINTS:
        until(
            partial(answers, applications, endpoint),
            300,
            f"{endpoint.name} to have what it acknowledged",
        )
    until(lambda: kbz("health", "all", *SERVICES).code == 0, 300, "all checks of all modules")
    document = kbz.good("run", "all", *SERVICES, "--format", "json").json()
    assert document["plan"]["size"] == 0


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_recovers_without_a_lost_write_where_none_may_be_lost(kbz: Kbz, name: str) -> None:
    """Those of Patroni and of its entry have a file of their own: test_drill_patroni.py."""
    recovers(kbz, name, DRILLS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", OTHER_DRILLS)
def test_every_other_scenario_of_a_drill_does_as_well(kbz: Kbz, name: str) -> None:
    recovers(kbz, name, OTHER_DRILLS[name])


def recovers(kbz: Kbz, name: str, scenarios: tuple[str, ...]) -> None:
    words = [word for scenario in scenarios for word in ("--scenario", scenario)]
    done = kbz("drill", name, *words, "--confirm", name, "--format", "json", timeout=1500)
    assert done.code == 0, done.stdout + done.stderr
    document = done.json()
    recovered = {t["scenario"] for t in document["trials"] if t["verdict"] == "recovered"}
    assert recovered == set(scenarios) - ({"switchover"} if name == "galera" else set())
    for trial in document["trials"]:
        print(name, trial["scenario"], trial["seconds_without_writes"], trial["lost"])
        assert not trial["lost"] or not trial["durability_promised"]
        assert trial["verdict"] == "recovered" or trial["messages"], "not available, and no reason"
        assert not trial["isolated_write_accepted"] or name == "redis", "it may, and says so"
    kbz.good("health", "all", *SERVICES)


def test_restarts_take_each_member_once_the_leader_last_and_lose_nothing(
    kbz: Kbz, applications: Applications
) -> None:
    """Three clusters side by side, for the lease of one is no other's; then the host of Redis' master is rebooted."""

    def redis() -> None:
        restarted(kbz, applications, "redis")
        rebooted(kbz, applications)

    with ThreadPoolExecutor() as pool:
        others = [
            pool.submit(restarted, kbz, applications, name) for name in ("rabbitmq", "galera")
        ]
        for one in [*others, pool.submit(redis)]:
            one.result()


def restarted(kbz: Kbz, applications: Applications, module: str) -> None:
    endpoint, members = CLUSTERS[module]
    before, last = containers(kbz, members), leader(kbz, module)
    with writing(applications, endpoint) as acknowledged:
        done = kbz.good("restart", "-v", module)
    print(f"{module}: {len(acknowledged)} writes acknowledged during the restart")
    after = containers(kbz, members)
    for host in members:
        assert before[host].keys() == after[host].keys()
        for name, (number, started) in after[host].items():
            assert number == before[host][name][0], "the same container"
            assert started > before[host][name][1], "started again"
    # One at a time: all that a member runs has started before the next one's begins.
    spans = sorted(
        (min(times), max(times), host)
        for host, found in after.items()
        if (times := [at for _, at in found.values()])
    )
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert not last or spans[-1][2] == last
    assert done.stderr.count(f"✓ {module} is whole") >= len(members), "whole before each"
    kbz.good("health", module)


def rebooted(kbz: Kbz, applications: Applications) -> None:
    """Reboot the master's host: it hands over first, and no other host is touched."""
    endpoint, members = CLUSTERS["redis"]
    boots, master = {host: kbz.on(host, BOOT) for host in members}, leader(kbz, "redis")
    with writing(applications, endpoint):
        done = kbz.good("restart", master)
    assert f"hand over from {master}" in done.stderr
    assert leader(kbz, "redis") != master
    now = {host: kbz.on(host, BOOT) for host in members}
    assert {host for host in members if now[host] != boots[host]} == {master}
    kbz.good("health", "redis")


def test_new_machines_join_their_clusters_and_nobody_else_is_touched(
    kbz: Kbz, in_full: bool
) -> None:
    new = {host: NEW[host] for host in NEW if in_full or host not in ELSEWHERE}
    others = [host for host in document_hosts(kbz) if host not in new]
    with ThreadPoolExecutor() as pool:
        list(
            pool.map(lambda host: kbz.good("lab", "replace", host, "--confirm", kbz.root.name), new)
        )
        for host, modules in new.items():
            pinned_anew(kbz, host, modules[0])
        before = containers(kbz, others)
        # The entries come last: a node that has not joined yet knows no user, and refuses who is led to it.
        members = {host: modules for host, modules in new.items() if host not in ENTRY_HOSTS}
        for one in [pool.submit(join, kbz, host, *modules) for host, modules in members.items()]:
            one.result()
    for host in ENTRY_HOSTS:
        join(kbz, host, *NEW[host])
    assert containers(kbz, others) == before
    until(lambda: kbz("health", "all", *SERVICES).code == 0, 120, "all checks of all modules")


def join(kbz: Kbz, host: str, *modules: str) -> None:
    """Build a host from bare on; the frozen modules need the owner's word."""
    frozen = [name for name in modules if name != "postgres-proxy"]
    lifts = [word for name in frozen for word in ("--lift-freeze", name)]
    done = kbz("run", *modules, "--limit", host, *lifts, "--reason", "a new machine", timeout=900)
    assert done.code == 0, f"{host}: {done.stdout}{done.stderr}"


def leader(kbz: Kbz, module: str) -> str:
    """Return the member that must come last; empty where each is as good as another."""
    match module:
        case "redis":
            return RedisLedger(kbz).master()
        case "galera":
            return "maria-03"  # none leads, but ProxySQL and kbz write there
        case _:
            return ""


def document_hosts(kbz: Kbz) -> list[str]:
    return sorted(kbz("health", "base", *SERVICES, "--format", "json").json()["hosts"])


def answers(applications: Applications, endpoint: Endpoint) -> bool:
    try:
        return applications.numbers(endpoint) >= {1, 2}
    except CLIENT_ERRORS:
        return False

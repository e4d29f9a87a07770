"""All servers at once: `kbz run all` from bare to green, again, and one look at everything.

With --long these are all 48 servers; without it, the 19 that carry a service for applications. K3s has a lab of its
own.

The tests of this file build on each other, in the order of the file; test_everything.py goes on with the servers that
carry a service for applications.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.lab.conftest import ONE_LOOK, SERVERS, SERVICE_HOSTS, SERVICES, Done, Kbz, until
from tests.lab.ledgers.counters import moved

pytestmark = pytest.mark.lab

MODULES = {
    "base",
    "patroni",
    "postgres-proxy",
    "redis",
    "redis-proxy",
    "rabbitmq",
    "rabbitmq-proxy",
    "minio",
    "galera",
    "proxysql",
}


@dataclass(frozen=True)
class Fleet:
    """The servers of this run, as words of a command line, and what is installed on them."""

    every: tuple[str, ...]
    size: int
    modules: set[str]


@pytest.fixture(scope="module")
def fleet(in_full: bool) -> Fleet:
    if in_full:
        return Fleet(("--all",), SERVERS, {*MODULES, "k3s", "minio-client"})
    return Fleet(SERVICES, SERVICE_HOSTS, MODULES)


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz, in_full: bool) -> Iterator[Kbz]:
    """All servers, bare. Those that carry no service have no power afterwards: they are needed no more."""
    if not in_full:
        yield services_lab
        return
    services_lab.good("lab", "up", timeout=1800)
    everybody, needed = (servers(services_lab, *limit) for limit in ((), SERVICES))
    yield services_lab
    with ThreadPoolExecutor() as pool:
        list(
            pool.map(
                lambda host: services_lab.good("lab", "fault", "stop", host), everybody - needed
            )
        )


def servers(kbz: Kbz, *limit: str) -> set[str]:
    listed = kbz.good("lab", "status", *limit, "--format", "json").json()["servers"]
    return {server["name"] for server in listed}


def test_run_all_turns_bare_servers_into_the_whole_platform(kbz: Kbz, fleet: Fleet) -> None:
    document = kbz.good("run", "all", *fleet.every, "--format", "json", timeout=3000).json()
    print(f"run all: {document['seconds']} s")
    assert set(document["modules"]) == fleet.modules
    assert document["checked"] == {"answered": fleet.size, "selected": fleet.size}
    assert {finding["level"] for finding in document["findings"]} <= {"ok", "warn"}


def test_the_second_run_changes_nothing_and_asks_each_host_once(kbz: Kbz, fleet: Fleet) -> None:
    document = kbz.good("run", "all", *fleet.every, "--format", "json").json()
    print(f"run all again: {document['seconds']} s")
    assert document["plan"]["size"] == 0
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
    assert set(document["round_trips"].values()) == {ONE_LOOK}


def test_side_by_side_there_is_nothing_left_to_do(kbz: Kbz, fleet: Fleet) -> None:
    words = ("run", "all", *fleet.every, "--side-by-side", "--format", "json")
    document = kbz.good(*words).json()
    assert document["plan"]["size"] == 0
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
    assert set(document["round_trips"].values()) == {ONE_LOOK}


def test_side_by_side_two_clusters_are_repaired_at_the_same_time(kbz: Kbz) -> None:
    kbz.on("queue-03", "docker stop rabbitmq")
    kbz.on("redis-03", "docker rm -f redis-sentinel")
    lifts = (
        "--lift-freeze",
        "rabbitmq",
        "--lift-freeze",
        "redis",
        "--reason",
        "repair of a member",
    )
    words = ("run", "redis", "rabbitmq", "--limit", "redis,queue", "--side-by-side", *lifts)
    told = kbz.good("run", "-v", *words[1:]).stderr
    begun = max(told.index(f"{name}: begins") for name in ("redis", "rabbitmq"))
    assert begun < min(told.index(f"✓ {name}: done after") for name in ("redis", "rabbitmq"))
    assert kbz.good(*words, "--format", "json").json()["plan"]["size"] == 0
    kbz.good("health", "redis", "rabbitmq")


def test_health_sees_everything_and_drift_finds_nothing(kbz: Kbz, fleet: Fleet) -> None:
    seen: list[Done] = []

    def well() -> bool:
        seen[:] = [kbz("health", *where(fleet), "--format", "json")]
        return seen[0].code == 0

    until(well, 120, "all checks of all modules")
    document = seen[0].json()
    print(f"health: {document['seconds']} s, {len(document['findings'])} checks")
    assert document["checked"] == {"answered": fleet.size, "selected": fleet.size}
    assert {host for finding in document["findings"] if (host := finding["host"])} == set(
        document["hosts"]
    )
    drift = kbz.good("drift", *where(fleet), "--format", "json").json()
    assert drift["plan"]["size"] == 0
    assert drift["drift"]["items"] == []
    kbz.good("status", *where(fleet))


def where(fleet: Fleet) -> tuple[str, ...]:
    """Return how a look is held to the servers of this run: it takes all that there are by itself."""
    return () if fleet.size == SERVERS else fleet.every


LOOKS = (("health",), ("plan", "all"), ("drift",), ("status",), ("lb", "check"))
"""Every verb that asks hosts and promises to change nothing."""


def test_no_look_moves_a_counter_or_writes_a_file(kbz: Kbz, fleet: Fleet) -> None:
    """Once each look wrote keys into Redis and used up transaction ids. A daemon may write by itself in between."""
    told: list[object] = []

    def look() -> None:
        for words in LOOKS:
            done = kbz(*words, *(() if words[0] == "lb" else where(fleet)))
            assert done.code in (0, 1, 2), f"{words}: {done.stdout}{done.stderr}"

    while len(told) < 3:
        told.append(moved(kbz, sorted(servers(kbz, *where(fleet))), look))
        if told[-1] == ({}, set()):
            return
    pytest.fail(f"each time something moved: {told}")


@pytest.mark.parametrize(
    ("host", "modules"),
    [
        pytest.param("install-01", {"base"}, marks=pytest.mark.long),
        ("haproxy-01", {"base", "postgres-proxy", "redis-proxy", "rabbitmq-proxy"}),
    ],
)
def test_one_host_is_judged_with_its_clusters_and_without_the_others(
    kbz: Kbz, host: str, modules: set[str]
) -> None:
    """Once it was refused because Patroni, green and not asked, had no leader."""
    document = kbz.good("health", "--limit", host, "--format", "json").json()
    assert set(document["modules"]) == modules
    assert {finding["check"].partition(".")[0] for finding in document["findings"]} <= modules
    again = kbz.good("run", "all", "--limit", host, "--format", "json").json()
    assert again["plan"]["size"] == 0

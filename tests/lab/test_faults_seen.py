"""Planted faults of many kinds: `kbz health` and `kbz drift` tell each once, at its level, and nothing else.

It runs on the lab of tests/lab/test_everything.py, after it. Faults on different hosts are planted together.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.conftest import EVERYTHING, Kbz, until
from tests.lab.faults_seen import BASELINE, ROUNDS, Fault, Seen

pytestmark = pytest.mark.lab

LIMIT = ("--limit", EVERYTHING)
HOSTS = 16
PATIENCE = 180
"""Seconds until a cluster has noticed a fault, or has got over it."""


@pytest.fixture(scope="module")
def kbz(everything: Kbz) -> Iterator[Kbz]:
    """The lab of all modules, converged; gone at the end."""
    everything.good("run", "all", *LIMIT, timeout=1800)
    until(lambda: findings(everything) == Counter(BASELINE), PATIENCE, "a healthy lab")
    yield everything
    everything.good("lab", "down", "--wipe")


def health(kbz: Kbz) -> dict[str, Any]:
    started = time.monotonic()
    document = kbz("health", "all", *LIMIT, "--format", "json").json()
    print(f"kbz health all: {document['seconds']} s, {time.monotonic() - started:.1f} s in all")
    return document


def findings(kbz: Kbz) -> Counter[Seen]:
    """Return what is told as a line of its own, as people see it: one failure on many hosts is one."""
    hosts: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for finding in health(kbz)["findings"]:
        if finding["level"] != "ok" and not finding["cause"]:
            key = (finding["check"], finding["level"], finding["message"])
            hosts[key] |= {finding["host"]} - {None}
    return Counter(
        (check, level, tuple(sorted(named))) for (check, level, _), named in hosts.items()
    )


def differences(kbz: Kbz) -> Counter[tuple[str, str]]:
    """Return what differs; what can not be read while its container is stopped follows from that."""
    changes = kbz("drift", "all", *LIMIT, "--format", "json").json()["plan"]["changes"]
    told = (change for change in changes if change["action"] != "later")
    return Counter((change["host"], change["resource"]) for change in told)


def test_health_of_everything_asks_every_host(kbz: Kbz) -> None:
    document = health(kbz)
    assert document["checked"] == {"answered": HOSTS, "selected": HOSTS}
    assert document["exit_code"] == 0
    assert {finding["host"] for finding in document["findings"]} >= set(document["hosts"])


@pytest.mark.parametrize("name", ROUNDS)
def test_each_fault_is_told_once_and_nothing_else_is(kbz: Kbz, name: str) -> None:
    who = roles(kbz)
    faults = tuple(replace(fault, host=who.get(fault.host, fault.host)) for fault in ROUNDS[name])
    try:
        for fault in faults:
            kbz.on(fault.host, fault.plant)
            host, script = fault.then
            if host:
                kbz.on(who[host], script)
        expected = Counter(BASELINE) + Counter(f.seen for f in faults if f.seen is not None)
        poll(lambda: findings(kbz), expected, "health")
        described = Counter((fault.host, fault.drift) for fault in faults if fault.drift)
        poll(lambda: differences(kbz), described, "drift")
        assert kbz("health", "all", *LIMIT).code == 2
    finally:
        undo(kbz, faults)
    poll(lambda: findings(kbz), Counter(BASELINE), "health after the faults")
    poll(lambda: differences(kbz), Counter(), "drift after the faults")


def roles(kbz: Kbz) -> dict[str, str]:
    """Return a host for each module/role, such as patroni/leader."""
    clusters = kbz("status", *LIMIT, "--format", "json").json()["clusters"]
    return {
        f"{cluster['module']}/{member['role']}": member["host"]
        for cluster in clusters
        for member in cluster["members"]
    }


def undo(kbz: Kbz, faults: tuple[Fault, ...]) -> None:
    """Take every fault back, those too that come after one that can not be."""
    failed = []
    for fault in faults:
        try:
            kbz.on(fault.host, fault.undo)
        except AssertionError as error:
            failed.append(f"{fault.name}: {error}")
    assert not failed, failed


def poll(look: Any, expected: Counter[Any], what: str) -> None:
    """Look until what is said is exactly what is expected; say the difference when it never is."""
    seen: list[Counter[Any]] = [Counter()]

    def exactly() -> bool:
        seen[0] = look()
        return seen[0] == expected

    try:
        until(exactly, PATIENCE, what)
    except AssertionError:
        missing, more = expected - seen[0], seen[0] - expected
        raise AssertionError(
            f"{what}: not told {dict(missing)}, told besides {dict(more)}"
        ) from None


def test_a_host_without_network_is_told_once(kbz: Kbz) -> None:
    """Everything that its clusters miss follows from it."""
    host = roles(kbz)["redis/replica"]
    kbz.good("lab", "fault", "cut", host)
    try:
        expected = Counter({*BASELINE, ("base.reachable", "unknown", (host,))})
        poll(lambda: findings(kbz), expected, "health")
        document = health(kbz)
        assert document["checked"] == {"answered": HOSTS - 1, "selected": HOSTS}
        assert document["exit_code"] == 4
    finally:
        kbz.good("lab", "fault", "restore", host)
    poll(lambda: findings(kbz), Counter(BASELINE), "health with the network back")

"""Planted faults of many kinds: `kbz health` and `kbz drift` tell each once, at its level, and nothing else.

Faults on different hosts are planted together. Other tests may have used the lab before.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from keybuzz.engine.look.deep import PLACE
from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import SERVICES, Kbz, until
from tests.lab.support.endpoints import ENTRY
from tests.lab.support.faults_seen import BASELINE, ROUNDS, Fault, Seen
from tests.lab.support.states import agrees

pytestmark = pytest.mark.lab

HOSTS = 19
PATIENCE = 180
"""Seconds until a cluster has noticed a fault, or has got over it."""


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """Every service for applications, converged and well."""
    services_lab.good("run", "all", *SERVICES, timeout=1800)
    poll(lambda: findings(services_lab), Counter(BASELINE), "a healthy lab")
    return services_lab


def health(kbz: Kbz) -> dict[str, Any]:
    started = time.monotonic()
    document = kbz("health", "all", *SERVICES, "--format", "json").json()
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
    """Return what differs, and strays; what cannot be read while its container is stopped follows from that."""
    document = kbz("drift", "all", *SERVICES, "--format", "json").json()
    told = (change for change in document["plan"]["changes"] if change["action"] != "later")
    found = Counter((change["host"], change["resource"]) for change in told)
    items = (item["id"] for item in document["drift"]["items"] if item["standing"] != "gone")
    strays = (item.split("/", 2)[1:] for item in items if item.startswith("stray/"))
    return found + Counter((host, f"stray {what}") for host, what in strays)


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
        described = Counter(difference for fault in faults for difference in fault.differences)
        poll(lambda: differences(kbz), described, "drift")
        for fault in faults:
            agrees(
                kbz, who.get(fault.asked_on, fault.asked_on) or fault.host, fault.ask, fault.says
            )
    finally:
        undo(kbz, faults)
    poll(lambda: findings(kbz), Counter(BASELINE), "health after the faults")
    poll(lambda: differences(kbz), Counter(), "drift after the faults")


def roles(kbz: Kbz) -> dict[str, str]:
    """Return a host for each module/role, such as patroni/leader."""
    clusters = kbz("status", *SERVICES, "--format", "json").json()["clusters"]
    return {
        f"{cluster['module']}/{member['role']}": member["host"]
        for cluster in clusters
        for member in cluster["members"]
    }


def undo(kbz: Kbz, faults: tuple[Fault, ...]) -> None:
    """Take every fault back, those too that come after one that cannot be."""
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


def test_a_probe_goes_through_every_endpoint_and_leaves_nothing(kbz: Kbz) -> None:
    """The table of a probe that was killed is there before; the second look finds nothing of the first."""
    as_application(kbz, f"create table {PLACE} (number bigint primary key)")
    as_application(kbz, f"insert into {PLACE} values (7)")
    first, second = probes(kbz), probes(kbz)
    assert set(first) == {"patroni", "redis", "rabbitmq", "minio", "galera"}
    for module, address in (("patroni", "10.0.0.10:5432"), ("galera", "10.0.0.20:3306")):
        assert f"through {address}" in first[module]
    left = "what an earlier probe had left was removed"
    assert [module for module, said in first.items() if left in said] == ["patroni"]
    assert [module for module, said in second.items() if left in said] == []
    assert as_application(kbz, f"select to_regclass('{PLACE}')") == [(None,)]


def probes(kbz: Kbz) -> dict[str, str]:
    """Return what each probe says; all of them are well."""
    document = kbz.good("health", "all", *SERVICES, "--deep", "--format", "json").json()
    told = [finding for finding in document["findings"] if finding["check"].endswith(".probe")]
    assert {finding["level"] for finding in told} == {"ok"}, told
    return {finding["check"].partition(".")[0]: finding["message"] for finding in told}


def as_application(kbz: Kbz, statement: str) -> list[Any]:
    """Run a statement in PostgreSQL as the application, through its endpoint."""
    store = load_credentials(kbz.root / "credentials")
    names = ("POSTGRES_APP_USER", "POSTGRES_APP_PASS", "POSTGRES_DB")
    user, password, database = (store[name].reveal() for name in names)
    with visiting(NAMESPACES / kbz.root.name):
        session = psycopg2.connect(
            host=ENTRY, user=user, password=password, dbname=database, connect_timeout=10
        )
    with closing(session), session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_watch_tells_what_came_and_went_over_open_connections(kbz: Kbz) -> None:
    """Plain lines, as stdout is no terminal here; Ctrl-C ends it with the last exit code."""
    host = "db-slave-01"
    argv = kbz.argv("health", "base", "--limit", host, "--watch", "--every", "1")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        try:
            assert any(line.startswith("checked 1 of 1") for line in lines)
            kbz.on(host, "systemd-run --quiet --unit=nightly-copy false")
            came = next(lines)
            kbz.on(host, "systemctl reset-failed nightly-copy.service")
            went = next(lines)
        finally:
            process.send_signal(signal.SIGINT)
    assert came[9:] == "+ warn base.units.failed db-slave-01: failed: nightly-copy.service\n"
    assert went[9:] == "- warn base.units.failed db-slave-01: failed: nightly-copy.service\n"
    assert process.returncode == 0

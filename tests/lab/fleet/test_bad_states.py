"""Rows of docs/states.md on every service at once: kbz tells each, the daemon's own tool agrees, and it can be undone.

Other tests may have used the lab before; the states of one round are made together, and looked at once. Each is taken
back on its host; a way out that is a verb of kbz is tried by the row's other tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import SERVICES, Kbz, until
from tests.lab.fleet.bad_states import REFUSED, ROUNDS, SPARE, TOOLS, Bad

pytestmark = pytest.mark.lab

PATIENCE = 120
"""Seconds until clusters have noticed, or have got over it."""
Told = tuple[str, str, str, str]
"""Check, level, host and message."""


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """Every service for applications, converged and well."""
    services_lab.good("run", "all", *SERVICES, timeout=1800)
    until(lambda: services_lab("health", "all", *SERVICES).code == 0, PATIENCE, "a healthy lab")
    return services_lab


@pytest.fixture(scope="module", params=ROUNDS)
def planted(kbz: Kbz, request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Bad]]]:
    """All states of a round, until each was taken back; then everything is as before."""
    name = str(request.param)
    who = roles(kbz)
    states = {bad.id: replace(bad, host=who.get(bad.host, bad.host)) for bad in ROUNDS[name]}
    with made(kbz, states.values()):
        yield name, states
    until(lambda: findings(kbz) == [] and drift(kbz) == [], PATIENCE, "everything is as before")


@contextmanager
def made(kbz: Kbz, states: Any) -> Iterator[None]:
    each_host: dict[str, list[Bad]] = {}
    for bad in states:
        each_host.setdefault(bad.host, []).append(bad)

    def on_each(script: str) -> list[str]:
        def one(host: str) -> list[str]:
            failed = []
            for bad in each_host[host]:
                try:
                    kbz.on(host, TOOLS + getattr(bad, script))
                except AssertionError as error:
                    failed.append(f"{bad.id}: {str(error)[-300:]}")
            return failed

        with ThreadPoolExecutor(4) as pool:
            return [text for found in pool.map(one, each_host) for text in found]

    try:
        assert on_each("make") == []
        yield
    finally:
        assert on_each("undo") == []


def roles(kbz: Kbz) -> dict[str, str]:
    """Return a host for each module/role, such as patroni/leader."""
    clusters = kbz("status", *SERVICES, "--format", "json").json()["clusters"]
    return {
        f"{cluster['module']}/{member['role']}": member["host"]
        for cluster in clusters
        for member in cluster["members"]
    }


def findings(kbz: Kbz) -> list[Told]:
    """Return what health finds above ok, but for the owner's decision that is open."""
    document = kbz("health", "all", *SERVICES, "--format", "json").json()
    return [
        (item["check"], item["level"], item["host"] or "", item["message"])
        for item in document["findings"]
        if item["level"] != "ok" and item["check"] != "rabbitmq.partition.handling"
    ]


def drift(kbz: Kbz) -> list[str]:
    """Return the ids of what drift tells: differences and strays."""
    document = kbz("drift", "all", *SERVICES, "--format", "json").json()
    return [item["id"] for item in document["drift"]["items"] if item["standing"] != "gone"]


def fits(bad: Bad, found: list[Told]) -> bool:
    if bad.health is None:
        return True
    check, level, words = bad.health
    return any(
        (item[0], item[1]) == (check, level)
        and words in item[3]
        and (item[2] in (bad.host, "") or bad.seen_from == "others")
        for item in found
    )


def test_each_is_told_and_its_daemon_agrees(kbz: Kbz, planted: tuple[str, dict[str, Bad]]) -> None:
    name, states = planted
    seen: list[Any] = [[], []]

    def missing() -> list[str]:
        seen[:] = [findings(kbz), drift(kbz)]
        return [
            bad.id
            for bad in states.values()
            if not (fits(bad, seen[0]) and (not bad.drift or any(bad.drift in i for i in seen[1])))
        ]

    try:
        until(lambda: missing() == [], PATIENCE, "each state is told")
    except AssertionError as error:
        raise AssertionError(f"not told: {missing()}; told: {seen}") from error
    for bad in states.values():
        answer = kbz.on(bad.host, f"{TOOLS}({bad.ask}) 2>&1")
        assert bad.says in answer, f"{bad.id}: {answer}"
    for module, checks in REFUSED[name].items():
        done = kbz("restart", module, "--limit", roles(kbz)[f"{module}/replica"])
        said = " ".join((done.stdout + done.stderr).split())
        named = "|".join(map(re.escape, checks))
        assert done.code == ExitCode.FAILED, said
        assert re.search(rf"can hold no more: \S+: (?:{named}): ", said), said
    clusters = kbz("status", *SERVICES, "--format", "json").json()["clusters"]
    spare = {cluster["module"]: cluster["quorum"]["spare"] for cluster in clusters}
    assert {module: spare[module] for module in SPARE[name]} == SPARE[name]

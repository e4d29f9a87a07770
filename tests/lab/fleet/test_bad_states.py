"""Rows of docs/states.md on every service at once: kbz says what the row says, and the daemon's own tool agrees.

Other tests may have used the lab before; the states of one round are made together, looked at once, and taken back.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import SERVICES, Kbz, until
from tests.lab.fleet.bad_states import HINT, ROUNDS, TOOLS, TYPED, Bad
from tests.lab.verdicts.rows import Seen, mistyped, wrong

pytestmark = pytest.mark.lab

PATIENCE = 120
"""Seconds until clusters have noticed, or have got over it."""
LIMIT = SERVICES[1]
Told = tuple[str, str, str, str]
"""Check, level, host and message."""


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """Every service for applications, converged and well."""
    services_lab.good("run", "all", *SERVICES, timeout=1800)
    until(lambda: services_lab("health", "all", *SERVICES).code == 0, PATIENCE, "a healthy lab")
    return services_lab


@pytest.fixture(scope="module", params=ROUNDS)
def planted(kbz: Kbz, request: pytest.FixtureRequest) -> Iterator[tuple[str, list[Bad]]]:
    """All states of a round, until each was taken back; then everything is as before."""
    with planting(kbz, str(request.param)) as states:
        yield str(request.param), states


@contextmanager
def planting(kbz: Kbz, name: str) -> Iterator[list[Bad]]:
    """Make the states of a round for the length of a block."""
    who = roles(kbz)
    states = [replace(bad, host=who.get(bad.host, bad.host)) for bad in ROUNDS[name]]
    try:
        failed = everywhere(kbz, [(bad, bad.make) for bad in states])
        assert failed == [], failed
        yield states
    finally:
        by_kbz = [bad for bad in states if bad.undo == HINT or bad.undo.startswith("kbz ")]
        on_hosts = [(bad, bad.undo) for bad in states if bad not in by_kbz]
        failed = everywhere(kbz, on_hosts) + [text for bad in by_kbz for text in ended(kbz, bad)]
        assert failed == [], failed
    until(lambda: findings(kbz) == [] and drift(kbz) == [], PATIENCE, "everything is as before")


def everywhere(kbz: Kbz, scripts: list[tuple[Bad, str]]) -> list[str]:
    """Run a script for each state on its host, those of one host in turn; return what failed."""
    each_host: dict[str, list[tuple[Bad, str]]] = {}
    for bad, script in scripts:
        each_host.setdefault(bad.host, []).append((bad, script))

    def one(host: str) -> list[str]:
        failed = []
        for bad, script in each_host[host]:
            try:
                kbz.on(host, TOOLS + script)
            except AssertionError as error:
                failed.append(f"{bad.id}: {str(error)[-300:]}")
        return failed

    with ThreadPoolExecutor(4) as pool:
        return [text for found in pool.map(one, each_host) for text in found]


def ended(kbz: Kbz, bad: Bad) -> Iterator[str]:
    """Take the way out that is a command of kbz, or that its finding spells; yield what failed."""
    words = shlex.split(bad.undo)
    if bad.undo == HINT:
        assert bad.health is not None
        document = kbz("health", "all", "--limit", bad.host, "--format", "json").json()
        hints = [f["hint"] for f in document["findings"] if f["check"] == bad.health[0]]
        words = shlex.split(str(hints[0]))
    done = kbz(*words[1:])
    if words[0] != "kbz" or done.code != 0:
        yield f"{bad.id}: {words}: {done.stdout[-300:]}{done.stderr[-300:]}"


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


def fits(bad: Bad, told: list[Told], differs: list[str]) -> bool:
    """Return whether health and drift say of a state what they must."""
    if bad.drift and not any(bad.drift in identity for identity in differs):
        return False
    if bad.health is None:
        return True
    check, level, words = bad.health
    return any(
        (item[0], item[1]) == (check, level)
        and words in item[3]
        and (item[2] in (bad.host, "") or bad.seen_from == "others")
        for item in told
    )


def test_each_is_told_and_its_daemon_agrees(kbz: Kbz, planted: tuple[str, list[Bad]]) -> None:
    name, states = planted
    differs = until_told(kbz, states)
    for bad in states:
        answer = kbz.on(bad.host, f"{TOOLS}({bad.ask}) 2>&1")
        assert bad.says in answer, f"{bad.id}: {answer}"
    for bad in states:
        if bad.told is not None:
            words, paths = bad.told
            said = kbz(*words, "--limit", bad.host).stdout
            assert [path for path in paths if path not in said] == [], said
    refused = {bad.id for bad in states if bad.refuses is not None and refuses(kbz, bad)}
    otherwise = wrong(kbz, [seen(bad, differs, bad.id in refused) for bad in states], LIMIT)
    assert not otherwise, "\n".join(otherwise)
    if name in TYPED:
        module, named = TYPED[name]
        done = kbz("restart", module)
        assert done.code in (ExitCode.FAILED, ExitCode.REFUSED), done.stdout
        assert any(word in done.stdout + done.stderr for word in named), done.stdout + done.stderr


@pytest.mark.long
def test_the_command_line_refuses_what_the_gates_refuse(
    kbz: Kbz, planted: tuple[str, list[Bad]]
) -> None:
    differs = until_told(kbz, planted[1])
    assert mistyped(kbz, [seen(bad, differs, False) for bad in planted[1]], LIMIT) == []


def until_told(kbz: Kbz, states: list[Bad]) -> list[str]:
    """Wait until health and drift tell every state; return what drift tells."""
    last: list[Any] = [[], []]

    def missing() -> list[str]:
        last[:] = [findings(kbz), drift(kbz)]
        return [bad.id for bad in states if not fits(bad, last[0], last[1])]

    try:
        until(lambda: missing() == [], PATIENCE, "each state is told")
    except AssertionError as error:
        raise AssertionError(f"not told: {missing()}; told: {last}") from error
    return list(last[1])


def refuses(kbz: Kbz, bad: Bad) -> bool:
    """Return whether its verb refuses, as it must, and says why."""
    assert bad.refuses is not None
    words, why = bad.refuses
    done = kbz(*words, *SERVICES)
    said = " ".join((done.stdout + done.stderr).split())
    assert why in said, f"{bad.id}: {said}"
    return done.code == ExitCode.REFUSED


def seen(bad: Bad, differs: list[str], refused: bool) -> Seen:
    own = tuple(identity for identity in differs if bad.drift and bad.drift in identity)
    about = bad.host if bad.seen_from == "itself" else ""
    return Seen(bad.id, bad.host, bad.health[0] if bad.health else "", own, refused, about)

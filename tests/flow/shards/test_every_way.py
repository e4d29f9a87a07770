"""The same scenario under each runner has the same result, and what a lost worker leaves is unknown."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.drift.drift import DriftRequest, items_now
from keybuzz.engine.look.observe import outcome_of_silence
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.shards.contract import FORMAT_VERSION, Spec, spec_line
from keybuzz.engine.shards.fingerprint import program
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import Outcome
from tests.flow.shards.pool import standing
from tests.flow.shards.scenarios import (
    WORKER,
    Ways,
    found_by,
    looking,
    parts,
    prepare,
    scenario,
    shim,
)
from tests.flow.support.agent_host import ROOT, make_site
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD
from tests.flow.support.sshd import descendants, running, running_with, until

SHARDED = ("process", "relay", "dask")


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("shards")
    (folder / "sshd").mkdir()
    python = shim(folder, ROOT)
    with (
        running(folder / "sshd") as server,
        standing(folder, python) as pool,
        pool.worker(python, "worker"),
    ):
        yield Ways(folder, server, pool)
    until(lambda: not running_with(f"{WORKER}\0{folder}"), "the workers to end")


def told(found: Survey) -> dict[str, Any]:
    """Return all that is found, but for the moments of the answers."""
    return {
        "states": {h: dict(o.states) for h, o in found.snapshot.observations.items()},
        "answers": {
            h: {name: (a.value, a.problem) for name, a in o.answers.items()}
            for h, o in found.snapshot.observations.items()
        },
        "unreachable": dict(found.snapshot.unreachable),
        "plan": {h: [c.diff for c in found.plan.of(h)] for h in HOSTS},
        "findings": found.findings,
    }


@pytest.mark.parametrize("way", ["bounded", *SHARDED])
def test_each_way_finds_what_serial_finds(ways: Ways, way: str) -> None:
    hosts = prepare(ways.folder)
    with looking(ways, hosts) as made:
        alone = told(found_by(made, ways.runner("serial", made.site)))
    with looking(ways, hosts) as made:
        found = found_by(made, ways.runner(way, made.site))
        sessions = made.workspace.round_trips()
    assert told(found) == alone
    assert list(found.snapshot.observations) == [FIRST, SECOND]
    assert list(found.snapshot.unreachable) == [THIRD]
    assert [len(found.plan.of(host)) for host in HOSTS] == [0, 1, 0]
    assert (not sessions) == (way in SHARDED)


@pytest.mark.parametrize("way", SHARDED)
def test_a_worker_that_is_killed_leaves_its_hosts_unknown(ways: Ways, way: str) -> None:
    hosts = prepare(ways.folder)
    stuck = ways.folder / "stuck"
    stuck.write_text("")
    killed: list[int] = []

    def kill() -> None:
        until(stuck.read_text, "the worker to be there")
        killed.append(int(stuck.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner(way, made.site, shard_size=3))
    finally:
        killer.join()
        stuck.unlink()
    assert ways.pool is not None
    place = {
        "process": "the worker on this machine",
        "relay": "the relay of fsn1 (127.0.0.1)",
        "dask": f"the pool of fsn1 (127.0.0.1:{ways.pool.port})",
    }[way]
    said = f"was not heard: {place} was killed by signal 9 → look again; kbz workers check asks the workers"
    assert found.snapshot.unreachable == dict.fromkeys(HOSTS, said)
    assert outcome_of_silence(said) is Outcome.UNKNOWN
    assert len(killed) == 1  # no other worker was given the same hosts


def test_a_cut_connection_leaves_hosts_unknown_and_no_worker(ways: Ways) -> None:
    hosts = prepare(ways.folder)
    stuck = ways.folder / "stuck"
    stuck.write_text("")
    server = ways.relay
    assert server is not None

    def cut() -> None:
        until(stuck.read_text, "the worker to be there")
        sessions = [pid for pid in descendants(server.pid) if command_of(pid).startswith("sshd")]
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner("relay", made.site, shard_size=3))
        until(lambda: not running_with(f"{WORKER}\0{ways.folder}"), "the worker to end")
    finally:
        cutter.join()
        stuck.unlink()
    said = "was not heard: the relay of fsn1 (127.0.0.1) was lost: its connection ended"
    assert {why.partition(" → ")[0] for why in found.snapshot.unreachable.values()} == {said}
    assert {outcome_of_silence(why) for why in found.snapshot.unreachable.values()} == {
        Outcome.UNKNOWN
    }


def command_of(pid: int) -> str:
    """Return the command line of a process; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("way", SHARDED)
def test_a_worker_of_another_site_asks_nothing(ways: Ways, way: str) -> None:
    hosts = prepare(ways.folder)
    (ways.folder / "other-site").write_text("")
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner(way, made.site))
    finally:
        (ways.folder / "other-site").unlink()
    assert "refuses: it has another servers than the controller" in only_reason(found)


@pytest.mark.parametrize("way", SHARDED)
def test_a_worker_of_another_version_asks_nothing(ways: Ways, way: str, tmp_path: Path) -> None:
    hosts = prepare(ways.folder)
    for name in ("keybuzz", "tasks"):
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    with (tmp_path / "tasks" / "base" / "__init__.py").open("a") as stream:
        stream.write("# one commit later\n")
    with looking(ways, hosts) as made:
        found = found_by(made, replace(ways, sources=tmp_path).runner(way, made.site))
    why = only_reason(found)
    assert "refuses: its kbz is 0.1.0 (" in why
    assert f", and that of the controller {program()} → install the same kbz on both" in why


def only_reason(found: Survey) -> str:
    """Return why no host was asked: one reason for all, which leaves them unknown."""
    assert list(found.snapshot.unreachable) == list(HOSTS)
    (why,) = set(found.snapshot.unreachable.values())
    assert why.startswith("was not asked: the ")
    assert outcome_of_silence(why) is Outcome.UNKNOWN
    return why


def test_what_has_no_time_is_unknown_and_its_worker_ends(ways: Ways) -> None:
    hosts = prepare(ways.folder)
    stuck = ways.folder / "stuck"
    stuck.write_text("")
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner("process", made.site), deadline=1)
    finally:
        stuck.unlink()
    assert found.snapshot.unreachable == dict.fromkeys(HOSTS, "was not heard within 1 s")
    until(lambda: not running_with(f"{WORKER}\0{ways.folder}"), "the workers to end")


# execnet leaves the pipes of an ssh that did not get through to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_relay_that_is_not_the_pinned_one_is_not_asked(ways: Ways, tmp_path: Path) -> None:
    hosts = prepare(ways.folder)
    assert ways.relay is not None
    pinned = ways.relay.known_hosts.read_text()
    ways.relay.pin(ways.relay.known_hosts, ways.relay.key)
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner("relay", made.site))
    finally:
        ways.relay.known_hosts.write_text(pinned)
    (why,) = set(found.snapshot.unreachable.values())
    assert why.startswith("was not asked: the relay of fsn1 (127.0.0.1) cannot be reached: ")
    assert "Host key verification failed" in why


def test_a_command_that_may_change_hosts_asks_them_itself(ways: Ways) -> None:
    hosts = prepare(ways.folder)
    with looking(ways, hosts) as made:
        made.nornir.config.user_defined["access"] = Access.CHANGE
        found = found_by(made, ways.runner("process", made.site))
        assert set(made.workspace.round_trips()) == {FIRST, SECOND}
    assert list(found.snapshot.observations) == [FIRST, SECOND]


def test_drift_finds_through_workers_what_it_finds_itself(ways: Ways) -> None:
    hosts = prepare(ways.folder)
    (hosts[FIRST].root / "var-lib" / "kbz-of-nobody").mkdir(exist_ok=True)
    found = {}
    for way in ("bounded", "process"):
        with looking(ways, hosts) as made:
            module = scenario(made.hosts)
            nornir = made.nornir.with_runner(ways.runner(way, made.site))
            request = DriftRequest((module,), frozenset(HOSTS), (module,))
            items = items_now(replace(made.workspace, nornir=nornir), request)
            # All hosts here are this machine, on which other tests open ports meanwhile.
            found[way] = [item for item in items if "/port:" not in item.identity]
    assert found["process"] == found["bounded"]
    identities = [item.identity for item in found["process"]]
    assert f"silent/{THIRD}" in identities
    assert any(identity.startswith(f"drift/{SECOND}/file:") for identity in identities)
    assert any(identity.startswith(f"stray/{FIRST}/") for identity in identities)


@pytest.mark.parametrize("deadline", [300.0, -9.0], ids=["controller killed", "own deadline"])
def test_a_worker_that_waits_for_a_host_ends(ways: Ways, deadline: float) -> None:
    hosts = prepare(ways.folder)
    hosts[THIRD].python.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    spec = Spec(
        FORMAT_VERSION,
        "run",
        "s-1",
        program(),
        parts(make_site(ways.folder)),
        "describe",
        {THIRD: ("demo",)},
        1,
        1,
        deadline,
    )
    worker = subprocess.Popen(ways.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(spec_line(spec))
        worker.stdin.flush()
        assert b'"kind":"accepted"' in worker.stdout.readline()
        if deadline > 0:
            worker.stdin.close()  # as the kernel does for a controller that was killed
        assert worker.wait(20) == 1
        assert worker.stdout.read() == b""

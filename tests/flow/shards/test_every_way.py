"""The same scenario under each runner has the same result, and what a lost worker leaves is unknown."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.look.observe import outcome_of_silence
from keybuzz.engine.look.survey import Survey
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import Outcome
from tests.flow.shards.scenarios import WORKER, Ways, found_by, looking, prepare
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD
from tests.flow.support.sshd import running, running_with, until

SHARDED = ("process", "relay")


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("shards")
    (folder / "sshd").mkdir()
    with running(folder / "sshd") as server:
        yield Ways(folder, server)
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
    place = "the worker on this machine" if way == "process" else "the relay of fsn1 (127.0.0.1)"
    said = f"was not heard: {place} was killed by signal 9 → look again; kbz workers check asks the workers"
    assert found.snapshot.unreachable == dict.fromkeys(HOSTS, said)
    assert outcome_of_silence(said) is Outcome.UNKNOWN
    assert len(killed) == 1  # no other worker was given the same hosts


@pytest.mark.parametrize("way", SHARDED)
def test_a_worker_of_another_inventory_asks_nothing(ways: Ways, way: str) -> None:
    hosts = prepare(ways.folder)
    (ways.folder / "other-site").write_text("")
    try:
        with looking(ways, hosts) as made:
            found = found_by(made, ways.runner(way, made.site))
    finally:
        (ways.folder / "other-site").unlink()
    (why,) = set(found.snapshot.unreachable.values())
    assert "refuses: it has another servers than the controller" in why
    assert outcome_of_silence(why) is Outcome.UNKNOWN


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

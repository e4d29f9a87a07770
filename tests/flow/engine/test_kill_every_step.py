"""kill -9 at every moment of a run: nothing is half written, nobody stays locked out, the next run finishes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.memory.lock import leases
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.report import Report
from tests.flow.support import eight_steps
from tests.flow.support.agent_host import NAME, ScratchHost
from tests.flow.support.eight_steps import FILES, NEW, OLD
from tests.flow.support.fleet import Fleet, command
from tests.flow.support.sshd import until
from tests.support import warm

EVENTS = range(1, 24)
"""Reading, planned, two stages and eight steps that begin and end, judged."""
STEP_EVENTS = range(1, 17)


def die_at(folder: Path, event: int) -> tuple[int, str, str]:
    """Run the program on a fresh host until it kills itself at an event; return exit code and both streams."""
    eight_steps.prepare(folder)
    return warm.run(eight_steps.main, (str(folder), str(event)), 60)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, int]]:
    """One host for each event, on which a run was killed there: its folder and the exit code."""
    folders = {event: tmp_path_factory.mktemp(f"event{event}") for event in EVENTS}
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(die_at, folders.values(), folders)
        return {
            event: (folders[event], code) for event, (code, *_) in zip(folders, done, strict=True)
        }


def opened(folder: Path) -> Iterator[Fleet]:
    with command(folder, {NAME: ScratchHost(folder / NAME)}, "kbz run demo") as made:
        yield made


def test_a_run_that_nobody_kills_has_these_events(tmp_path: Path) -> None:
    assert die_at(tmp_path, 0)[1].split() == [str(len(EVENTS)), "0"]


@pytest.mark.parametrize("event", EVENTS)
def test_killed_controller(killed: dict[int, tuple[Path, int]], event: int) -> None:
    folder, code = killed[event]
    host = ScratchHost(folder / NAME)
    assert code == -signal.SIGKILL
    until(lambda: not host.agents(), "the agent to notice that its controller is gone")
    assert_nothing_is_half_done(host)
    with leases(folder / "state" / "leases", ("patroni",), "test"):
        pass
    for fleet in opened(folder):
        (record,) = fleet.workspace.journal.runs()
        assert record.ended is None
        assert_the_next_run_finishes(fleet, host)


@pytest.mark.parametrize("event", STEP_EVENTS)
def test_killed_agent(tmp_path: Path, event: int) -> None:
    host = eight_steps.prepare(tmp_path)
    for fleet in opened(tmp_path):
        steps = 0

        def kill(heard: events.Event) -> None:
            nonlocal steps
            if isinstance(heard, events.StepStarted | events.StepEnded):
                steps += 1
                if steps == event:
                    os.kill(host.agents()[0], signal.SIGKILL)

        report = run(fleet.listening(kill), host)
        assert_nothing_is_half_done(host)
        assert report.exit_code == ExitCode.UNREACHABLE
        # An agent is ahead of its events: it may have ended the stage, and is missed at the next reading.
        assert report.hosts[NAME].outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE)
        assert_the_next_run_finishes(fleet, host)


def run(fleet: Fleet, host: ScratchHost) -> Report:
    return fleet.run(eight_steps.module({NAME: host}), only=(NAME,))


def look(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid, status.st_mode & 0o7777


def assert_nothing_is_half_done(host: ScratchHost) -> None:
    """Each file is the old or the new one, and the new one has its owner and mode."""
    assert all((host.files / name).read_text() in (OLD, NEW) for name in FILES)
    if (host.files / "app.conf").read_text() == NEW:
        assert look(host.files / "app.conf") == (7, 8, 0o640)
    last = host.files / "data" / "last.conf"
    assert not last.exists() or (last.read_text(), look(last)) == (NEW, (0, 0, 0o600))


def assert_the_next_run_finishes(fleet: Fleet, host: ScratchHost) -> None:
    """The next run makes everything as described, and the one after it finds nothing to do."""
    files = host.files
    assert run(fleet, host).exit_code == ExitCode.GOOD
    names = sorted(str(path.relative_to(files)) for path in files.rglob("*"))
    assert names == sorted([*FILES, "current", "data", "data/inner", "data/last.conf"])
    assert [(files / name).read_text() for name in FILES] == [NEW] * 3
    assert (host.root / "systemctl.log").read_text().startswith("reload-or-restart app.service\n")
    before = {path: path.lstat() for path in files.rglob("*")}
    again = run(fleet, host)
    assert (again.exit_code, again.plan.size) == (ExitCode.GOOD, 0)
    assert again.hosts[NAME].outcome is Outcome.OK
    assert {path: path.lstat() for path in files.rglob("*")} == before

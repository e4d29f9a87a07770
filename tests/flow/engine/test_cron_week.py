"""A week of drift by cron: what people do meanwhile, two runs at once, and one that is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.cli.main import UNHEARD_THREAD
from keybuzz.engine.drift.drift import LEASE, DriftRequest, drift
from keybuzz.engine.memory.lock import leases
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.report import Report
from keybuzz.report.text.history import runs_text
from tests.flow.support.agent_host import close
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, fleet
from tests.flow.support.sshd import until

FLOW = Path(__file__).parents[1]
MONDAY = 1_900_000_000.0
HOUR, EVERY = 3600.0, 6
RUNS = 7 * 24 // EVERY
OVERLAP, KILLED = 17, 21
"""The runs that another process does; each is the run of its hour."""


@dataclass
class World:
    """The hosts, what is wrong with them in truth, and what a reader of all reports must believe."""

    made: Fleet
    folder: Path
    now: float = MONDAY
    wrong: set[str] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    believed: set[str] = field(default_factory=set)
    pythons: dict[str, str] = field(default_factory=dict)

    def break_file(self, host: str) -> None:
        (self.made.hosts[host].files / "app.conf").write_text("by hand\n")
        self.wrong.add(host)

    def remove_file(self, host: str) -> None:
        (self.made.hosts[host].files / "app.conf").unlink()
        self.wrong.add(host)

    def mend(self, host: str) -> None:
        path = self.made.hosts[host].files / "app.conf"
        path.write_text("new\n")
        path.chmod(0o644)
        self.wrong.discard(host)

    def turn_off(self, host: str) -> None:
        python = self.made.hosts[host].python
        self.pythons[host] = python.read_text()
        python.write_text("#!/bin/sh\nexit 1\n")
        self.off.add(host)
        close(self.made.nornir)

    def turn_on(self, host: str) -> None:
        self.made.hosts[host].python.write_text(self.pythons[host])
        self.off.discard(host)

    def expected(self) -> dict[str, str]:
        """Return how each host's file must stand in a run that completes now, and believe that run."""
        standing: dict[str, str] = {}
        for host in HOSTS:
            if host in self.off:
                found = "unseen" if host in self.believed else ""
            elif host in self.wrong:
                found = "still" if host in self.believed else "new"
            else:
                found = "gone" if host in self.believed else ""
            if found:
                standing[host] = found
        self.believed = (self.believed & self.off) | (self.wrong - self.off)
        return standing

    def look(self) -> Report:
        """Do one run in this process."""
        module = Demo(self.made.hosts).module()
        workspace = replace(self.made.workspace, clock=lambda: self.now, command="kbz drift demo")
        return drift(workspace, DriftRequest((module,), frozenset(HOSTS), (module,)))

    def start(self, *gate: Path) -> subprocess.Popen[str]:
        """Start one run in a process of its own."""
        argv = [sys.executable, str(FLOW / "support/cron_run.py"), str(self.folder), str(self.now)]
        paths = (FLOW.parents[1],)
        return subprocess.Popen(
            [*argv, *map(str, gate)],
            env={**os.environ, "PYTHONPATH": ":".join(map(str, paths))},
            stdout=subprocess.PIPE,
            text=True,
        )

    def standings(self, number: int) -> dict[str, str]:
        """Return how the journal says that each host's file stood."""
        ids = {f"drift/{host}/file:{self.made.hosts[host].files}/app.conf": host for host in HOSTS}
        found = self.made.workspace.journal.drift(number)
        return {ids[item.identity]: item.standing.value for item in found if item.identity in ids}


HAPPENS: dict[int, tuple[Callable[[World], None], ...]] = {
    2: (lambda world: world.break_file(FIRST),),
    5: (lambda world: world.remove_file(SECOND),),
    9: (lambda world: world.mend(FIRST),),
    11: (lambda world: world.break_file(THIRD),),
    13: (lambda world: world.turn_off(THIRD),),
    15: (lambda world: world.turn_on(THIRD), lambda world: world.break_file(FIRST)),
    OVERLAP: (lambda world: world.mend(SECOND),),
    KILLED: (lambda world: world.mend(THIRD), lambda world: world.break_file(SECOND)),
    24: (lambda world: world.mend(FIRST), lambda world: world.break_file(THIRD)),
    # Off, and mended before it comes back: nobody saw it go, and still it must be told.
    25: (lambda world: world.turn_off(THIRD),),
    26: (lambda world: world.mend(THIRD),),
    27: (lambda world: world.turn_on(THIRD), lambda world: world.mend(SECOND)),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with fleet(tmp_path) as made:
        assert made.run(Demo(made.hosts).module()).exit_code == ExitCode.GOOD
        yield World(made, tmp_path)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


def in_the_middle(world: World, gate: Path) -> subprocess.Popen[str]:
    """Start a run that holds its lease, is in the journal, and stands still before it asks the hosts."""
    os.mkfifo(gate)
    number = world.made.workspace.journal.runs(1)[0].number
    process = world.start(gate)

    def begun() -> bool:
        newest = world.made.workspace.journal.runs(1)[0]
        return newest.number > number and newest.at_work

    until(begun, "the run to begin")
    return process


def overlapped(world: World) -> int:
    """Start two runs in one hour; return the number of the one that looked."""
    first = in_the_middle(world, world.folder / "overlap")
    second = said(world.start())
    assert second["exit_code"] == ExitCode.REFUSED
    assert second["error"].startswith(f"skipped: the lease on {LEASE} is held by ")
    assert world.standings(second["run"]) == {}
    hosts = world.made.workspace.journal.hosts(second["run"])
    assert {item.outcome.value for item in hosts} == {"skipped"}
    (world.folder / "overlap").write_text("go on")
    return int(said(first)["run"])


def killed(world: World) -> int:
    """Start a run and kill it in the middle; return its number."""
    process = in_the_middle(world, world.folder / "killed")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    return world.made.workspace.journal.runs(1)[0].number


def test_a_week(world: World) -> None:
    numbers: dict[int, int] = {}
    for hour in range(RUNS):
        world.now = MONDAY + hour * EVERY * HOUR
        for happen in HAPPENS.get(hour, ()):
            happen(world)
        if hour == KILLED:
            numbers[hour] = killed(world)
            assert world.standings(numbers[hour]) == {}
            continue
        numbers[hour] = overlapped(world) if hour == OVERLAP else world.look().number
        assert (hour, world.standings(numbers[hour])) == (hour, world.expected())
    assert world.believed == set()
    assert_nothing_lost(world, numbers)


def assert_nothing_lost(world: World, numbers: dict[int, int]) -> None:
    journal = world.made.workspace.journal
    runs = {record.number: record for record in journal.find(1000, verb="drift")}
    assert set(numbers.values()) < set(runs)
    [skipped] = set(runs) - set(numbers.values())
    assert {hour: runs[number].started for hour, number in numbers.items()} == {
        hour: MONDAY + hour * EVERY * HOUR for hour in range(RUNS)
    }
    cut = [number for number, record in runs.items() if record.ended is None]
    assert cut == [numbers[KILLED]]
    assert not runs[numbers[KILLED]].at_work
    lines = {line.split()[0]: line for line in runs_text(runs.values()).splitlines()}
    assert "cut off" in lines[str(numbers[KILLED])]
    assert "exit 3, skipped" in lines[str(skipped)]
    off = [hour for hour, number in numbers.items() if runs[number].exit_code == 4]
    assert off == [13, 14, 25, 26]
    folder = world.made.site.settings.state / "leases"
    names = tuple(path.stem for path in folder.glob("*.lease"))
    assert LEASE in names
    with leases(folder, names, "test"):  # none is held
        pass


def late() -> list[str]:
    """Return the threads that still wait for a host."""
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith(UNHEARD_THREAD)]


def test_a_run_that_has_no_time_left_says_who_was_not_heard(world: World) -> None:
    """A host that takes its time is unknown at the deadline; what was known of it stays known."""
    world.break_file(FIRST)
    world.look()
    python = world.made.hosts[FIRST].python
    text = python.read_text()
    gate = world.folder / "gate"
    os.mkfifo(gate)
    world.made.nornir.inventory.hosts[FIRST].close_connections()  # the others answer at once
    python.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\nread line < {gate}\n"))
    module = Demo(world.made.hosts).module()
    request = DriftRequest((module,), frozenset(HOSTS), (module,), deadline=12.0)
    try:
        report = drift(world.made.workspace, request)
    finally:
        python.write_text(text)
        gate.write_text("go on\n")
    assert report.exit_code == ExitCode.UNREACHABLE
    assert {host: item.outcome.value for host, item in report.hosts.items()} == {
        FIRST: "unknown",
        SECOND: "ok",
        THIRD: "ok",
    }
    assert report.hosts[FIRST].what == "was not heard within 12 s"
    assert world.standings(report.number) == {FIRST: "unseen"}
    until(lambda: not late(), "the late host to answer nobody")

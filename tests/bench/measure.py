"""Runs programs in rounds and writes down what each run took: wall time, CPU on both sides, memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.programs import Program
from tests.bench.stage import Stage, cpu_seconds, end_all, wire_bytes, within

_SETTLE = 20.0
_HANGS = {"W1": 120.0, "W1w": 120.0, "growth": 300.0}
"""Seconds after which a run hangs: libssh2 did once, in some hundred runs."""
_LONGEST = 900.0
_SECONDS = re.compile(r"^seconds ([0-9.]+)$", re.MULTILINE)
_ROUND_TRIPS = re.compile(r"^round trips (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took."""

    wall: float
    client: float
    """CPU seconds of the program and all that it started."""
    hosts: float
    """CPU seconds of all that ran on the hosts."""
    memory: float
    """MiB of the largest process of the program."""
    round_trips: str = ""
    """What the program says of itself."""
    wire: float = 0.0
    """Bytes that went to the hosts and came from them."""


Samples = dict[str, list[Sample]]


def rounds(
    stage: Stage,
    contestants: Sequence[Program],
    work: str,
    count: Callable[[Program], int],
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> Samples:
    """Run each program once in a round, each round beginning with another one. `after` judges what it did."""
    able = [program for program in contestants if work in program.works and count(program)]
    found: Samples = {program.name: [] for program in able}
    for number in range(max(map(count, able), default=0)):
        first = number % len(able)
        for program in [*able[first:], *able[:first]]:
            if number < count(program):
                before()
                sample = run(stage, program, work)
                after()
                print(f"  {work} {program.name}: {sample.wall:.2f} s", file=sys.stderr)
                found[program.name].append(sample)
    return found


def run(stage: Stage, program: Program, work: str) -> Sample:
    """Run a program once, on hosts without a connection; it must end well, and is repeated when it hung."""
    for _ in range(2):
        sample = _attempt(stage, program, work)
        if sample is not None:
            return sample
        print(f"  {work} {program.name}: hung, and is run again", file=sys.stderr)
    sys.exit(f"{program.name} {work}: hung twice")


def _attempt(stage: Stage, program: Program, work: str) -> Sample | None:
    _settle(stage)
    client, hosts, wire = cpu_seconds(stage.controller), cpu_seconds(stage.group), wire_bytes()
    words = within(stage.controller, program.works[work])
    source = program.input.get(work, Path(os.devnull))
    with source.open("rb") as given, tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(
            words, env=_environment(program), stdin=given, stdout=said, stderr=subprocess.STDOUT
        )
        guard = threading.Timer(_HANGS.get(work, _LONGEST), process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        guard.cancel()
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode == -signal.SIGKILL:
        return None
    if process.returncode not in program.codes:
        sys.exit(f"{program.name} {work}: exit {process.returncode}\n{text[-3000:]}")
    _settle(stage)
    timed, trips = _SECONDS.search(text), _ROUND_TRIPS.search(text)
    return Sample(
        float(timed[1]) if timed else wall,
        cpu_seconds(stage.controller) - client,
        cpu_seconds(stage.group) - hosts,
        usage.ru_maxrss / 1024,
        trips[1] if trips else "",
        wire_bytes() - wire,
    )


def _environment(program: Program) -> dict[str, str]:
    """Return our environment; compiled modules are kept, as they are wherever these programs are installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **program.env}


def _settle(stage: Stage) -> None:
    """End the connections that a program has left open, and wait until their sessions are gone."""
    end_all(stage.controller)
    deadline = time.monotonic() + _SETTLE
    while len((stage.group / "cgroup.procs").read_text().split()) > 1:
        if time.monotonic() > deadline:
            sys.exit("sessions on the hosts do not end")
        time.sleep(0.05)

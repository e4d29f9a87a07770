"""One run of drift as cron starts it: a process of its own over hosts that other processes use too.

Usage: cron_run.py FOLDER NOW [GATE]. It says on stdout how it ended. With a gate (a fifo) it stands still in the
middle, when it is about to ask the hosts, until somebody has opened the fifo and written to it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from keybuzz.engine import events
from keybuzz.engine.drift.drift import DriftRequest, drift
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import HOSTS, Demo, command


def main(folder: Path, now: float, gate: Path | None) -> None:
    hosts = {name: ScratchHost(folder / name) for name in HOSTS}
    module = Demo(hosts).module()

    def listen(event: events.Event) -> None:
        if gate is not None and isinstance(event, events.Reading):
            gate.read_text()

    with command(folder, hosts, "kbz drift demo") as made:
        workspace = replace(made.workspace, clock=lambda: now, listen=listen)
        report = drift(workspace, DriftRequest((module,), frozenset(HOSTS), (module,)))
    print(json.dumps({"run": report.number, "exit_code": report.exit_code, "error": report.error}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)

"""A run of three modules side by side, as a program of its own that kills itself at one of its events.

Its words are a folder and the number of the event, which counts from 1; 0 never comes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from keybuzz.engine import events
from keybuzz.engine.chains.side_by_side import side_by_side
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.model.core.content import Content
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Module
from tests.flow.support.agent_host import ScratchHost, scratch_host
from tests.flow.support.fleet import Demo, Fleet, Resources, command

COMMAND = "kbz run all --side-by-side"
PLACES = {
    "left": ("redis", "redis-01"),
    "right": ("rabbitmq", "queue-01"),
    "entry": ("galera", "maria-01"),
}
"""By module: its group, and its one host."""
HOSTS = tuple(host for _, host in PLACES.values())
OLD, NEW = "old line\n" * 5000, "a new line\n" * 5000


def written(name: str) -> Resources:
    """Return what makes the resources of a module: one large file with its name."""

    def resources(host: ScratchHost) -> tuple[Resource, ...]:
        return (File(str(host.files / name), Content.plain(NEW)),)

    return resources


def modules(hosts: dict[str, ScratchHost], **more: Resources) -> tuple[Module, ...]:
    """Return two that go side by side, and one that needs both."""
    return tuple(
        Demo(
            hosts,
            more.get(name, written(name)),
            name=name,
            group=group,
            needs=("left", "right") if name == "entry" else (),
        ).module()
        for name, (group, _) in PLACES.items()
    )


def prepare(folder: Path) -> dict[str, ScratchHost]:
    """Make the hosts, each with the file of the version before."""
    hosts = {host: scratch_host(folder / host) for host in HOSTS}
    for name, (_, host) in PLACES.items():
        (hosts[host].files / name).write_text(OLD)
    return hosts


def taken(fleet: Fleet, chain: tuple[Module, ...]) -> Report:
    """Run as `kbz run --side-by-side` does."""
    request = RunRequest(chain, frozenset(HOSTS), 0.0, 60.0, route=side_by_side)
    return run(fleet.workspace, request)


def main() -> None:
    """Run, and die at the event."""
    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    hosts = {host: ScratchHost(folder / host) for host in HOSTS}
    count, turn = 0, threading.Lock()

    def listen(event: events.Event) -> None:
        nonlocal count
        with turn:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    with command(folder, hosts, COMMAND) as made:
        report = taken(made.listening(listen), modules(hosts))
    print(count, int(report.exit_code))

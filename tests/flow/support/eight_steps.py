"""A run of eight changes on one host, as a program of its own that kills itself at one of its events.

Its words are a folder and the number of the event, which counts from 1; 0 never comes.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from keybuzz.engine import events
from keybuzz.model.core.content import Content
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Absent, Directory, File, HostValidator, Symlink, UnitReload
from keybuzz.site.module import Module
from tests.flow.support.agent_host import NAME, ScratchHost, scratch_host
from tests.flow.support.fleet import Demo, Fleet, command

OLD = ("old " * 100 + "line\n") * 150
NEW = ("and " * 120 + "a new line\n") * 130
"""Large enough that a write cut off in its middle would show."""
FILES = ("app.conf", "told.conf", "checked.conf")


def resources(host: ScratchHost) -> tuple[Resource, ...]:
    """Return one of everything that is written."""
    files = host.files
    # It takes long enough to be killed while it runs.
    check = HostValidator(("sh", "-c", "grep -c 'new line' {}; cat {} {} {} | sha256sum"))
    return (
        Directory(str(files / "data"), 999, 999, 0o700),
        File(str(files / "app.conf"), Content.plain(NEW), 7, 8, 0o640),
        Symlink(str(files / "current"), "data"),
        File(str(files / "told.conf"), Content.plain(NEW), reload=UnitReload("app.service")),
        Absent(str(files / "obsolete")),
        File(str(files / "checked.conf"), Content.plain(NEW), validator=check),
        Directory(str(files / "data" / "inner")),
        File(str(files / "data" / "last.conf"), Content.plain(NEW), mode=0o600),
    )


def next_stage(live: Live) -> Stage | None:
    """Two stages, so that a run can also be cut off between them."""
    for host, view in live.hosts.items():
        if view.changes:
            half = view.changes[:4] if len(view.changes) > 4 else view.changes
            return Stage(f"bring {host}", half)
    return None


def module(hosts: dict[str, ScratchHost]) -> Module:
    """Return the module of this run."""
    return Demo(hosts, resources, next_stage).module()


def prepare(folder: Path) -> ScratchHost:
    """Make a host with the files of the version before."""
    host = scratch_host(folder / NAME)
    host.install("systemctl", f'echo "$@" >> {host.root}/systemctl.log')
    for name in (*FILES, "obsolete"):
        (host.files / name).write_text(OLD)
    return host


def main() -> None:
    """Run, and die at the event."""
    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    hosts = {NAME: ScratchHost(folder / NAME)}
    count = 0

    def listen(event: events.Event) -> None:
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    with command(folder, hosts, "kbz run demo") as made:
        fleet: Fleet = made.listening(listen)
        report = fleet.run(module(hosts), only=(NAME,))
    print(count, int(report.exit_code))

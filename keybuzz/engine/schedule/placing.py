"""Puts the files of a schedule in place, starts it, and takes it away."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from keybuzz.engine.schedule.schedule import MAIL, Schedule, Watch, files
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.files.whole import put

_PLACES = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/usr/lib"
"""Folders in which cron and systemd find the program that takes mail."""


def running_program() -> str:
    """Return what runs things by the clock on this machine."""
    return "systemd" if Path("/run/systemd/system").is_dir() else "cron"


def place(schedule: Schedule, program: str, into: Path) -> Iterator[str]:
    """Write what is not yet so, and start it; yield what was done. The other program's files are taken away."""
    wanted = files(schedule, program)
    watch = schedule.watch
    other = (watch.cron,) if program == "systemd" else (watch.timer, watch.service, watch.failed)
    if any((into / path).exists() for path in other):
        yield from _remove(watch, other, into)
    for path, text in wanted.items():
        target = into / path
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            yield f"{target} is as wanted"
            continue
        _write(target, text)
        yield f"{target} is written"
    if program == "systemd" and into == Path("/"):
        # Also when nothing was written: a call before may have come no further than the files.
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", watch.timer.name)
        yield f"{watch.timer.name} is enabled and waits"
    if into == Path("/") and shutil.which(MAIL, path=_PLACES) is None:
        journal = proposed("journalctl", "--unit", watch.service.name)
        told = journal if program == "systemd" else proposed("kbz", watch.verb, "status")
        yield f"there is no {MAIL} on this machine, so nothing is mailed → {told}"


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    put(target, text.encode(), 0o644)


def take_away(watch: Watch, into: Path) -> Iterator[str]:
    """Stop it and remove its files; yield what was done."""
    every = (watch.timer, watch.service, watch.failed, watch.cron)
    found = [path for path in every if (into / path).exists()]
    if not found:
        yield "nothing is scheduled"
        return
    yield from _remove(watch, tuple(found), into)


def _remove(watch: Watch, paths: tuple[Path, ...], into: Path) -> Iterator[str]:
    here = into == Path("/")
    if here and watch.timer in paths:
        _systemctl("disable", "--now", watch.timer.name)
    for path in paths:
        (into / path).unlink(missing_ok=True)
        yield f"{into / path} is gone"
    if here and watch.timer in paths:
        _systemctl("daemon-reload")


def _systemctl(*words: str) -> None:
    command = proposed("systemctl", *words)
    try:
        done = subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KbzError(f"{command}: {error}", hint="--by cron") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise KbzError(f"{command}: {said}", hint="--by cron, or see what it says")

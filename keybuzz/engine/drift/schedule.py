"""`kbz drift install`: a systemd timer, or a file of cron, on the machine that kbz runs on."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import KbzError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.files.whole import put

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import Journal, RunRecord

SERVICE = Path("etc/systemd/system/kbz-drift.service")
TIMER = Path("etc/systemd/system/kbz-drift.timer")
CRON = Path("etc/cron.d/kbz-drift")
PROGRAMS = ("systemd", "cron")
GRACE = 60
"""Seconds after the deadline for hosts, in which a run writes down what it knows."""
_PLAIN = re.compile(r"[\w@%+=:,./!*?-]+")
_HEAD = re.compile(r"# kbz drift: every (\S+), jitter (\d+), deadline (\d+)\n# (kbz .+)\n")
_FAR_BACK = 5000
"""Runs of drift that are looked through for one of the schedule."""
_LOOKED = (ExitCode.GOOD, ExitCode.DIFFERENT, ExitCode.UNREACHABLE)
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Every:
    """How often, in the words of both programs."""

    seconds: int
    calendar: str
    cron: str
    first_hour: int = 0


EVERY = {
    "15min": Every(900, "*:0/15", "*/15 * * * *"),
    "30min": Every(1800, "*:0/30", "*/30 * * * *"),
    "hourly": Every(3600, "hourly", "0 * * * *"),
    "6h": Every(21600, "0/6:00", "0 */6 * * *"),
    "daily": Every(86400, "*-*-* 03:00", "0 3 * * *", first_hour=3),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When and how to look."""

    config: Path
    modules: tuple[str, ...]
    limit: tuple[str, ...]
    every: str
    jitter: int
    """Seconds."""
    deadline: int
    """Seconds."""

    def words(self, program: str) -> list[str]:
        """Return the words of one run after `kbz`; systemd waits a random time by itself, cron does not."""
        limits = [word for terms in self.limit for word in ("--limit", terms)]
        jitter = ["--jitter", str(self.jitter)] if program == "cron" else []
        return [
            *("--config", str(self.config), "drift", "look", *self.modules, *limits),
            *("--deadline", str(self.deadline), "--only-new", *jitter),
        ]

    def argv(self, program: str) -> list[str]:
        """Return the command line of one run."""
        script = Path(sys.executable).parent / "kbz"
        kbz = [str(script)] if script.exists() else [sys.executable, "-m", "keybuzz.cli.main"]
        return [*kbz, *self.words(program)]

    def head(self, program: str) -> str:
        """Return the first lines of each file, by which it is known again, and its runs in the journal too."""
        return (
            f"# kbz drift: every {self.every}, jitter {self.jitter}, deadline {self.deadline}\n"
            f"# {shlex.join(['kbz', *self.words(program)])}\n"
            "# `kbz drift install` writes it, `kbz drift uninstall` takes it away.\n"
        )


def files(schedule: Schedule, program: str) -> dict[Path, str]:
    """Return the files of a schedule, by their path below /. UsageError for words that no file can hold. Pure."""
    if any(_CONTROL.search(word) for word in schedule.words(program)):
        raise UsageError("a line break cannot be scheduled", hint="give plain words")
    return _units(schedule) if program == "systemd" else {CRON: _cron(schedule)}


def _units(schedule: Schedule) -> dict[Path, str]:
    head = schedule.head("systemd")
    # The exit codes say what was found, and that is no fault of the unit: it fails when it could not look.
    service = f"""{head}[Unit]
Description=kbz drift: what was changed by hand
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={" ".join(_unit_word(word) for word in schedule.argv("systemd"))}
TimeoutStartSec={schedule.deadline + GRACE}
SuccessExitStatus=2 3 4
"""
    timer = f"""{head}[Unit]
Description=kbz drift, {schedule.every}

[Timer]
OnCalendar={EVERY[schedule.every].calendar}
RandomizedDelaySec={schedule.jitter}
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {SERVICE: service, TIMER: timer}


def _unit_word(word: str) -> str:
    """Return a word as systemd reads it: % and $ have a meaning there."""
    text = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cron(schedule: Schedule) -> str:
    seconds = str(schedule.jitter + schedule.deadline + GRACE)
    argv = ["timeout", "-k", "10", seconds, *schedule.argv("cron")]
    line = shlex.join(argv).replace("%", "\\%")
    return (
        f"{schedule.head('cron')}"
        "# What it prints, cron mails to root: only what came or went.\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "MAILTO=root\n"
        f"{EVERY[schedule.every].cron} root {line}\n"
    )


def running_program() -> str:
    """Return what runs things by the clock on this machine."""
    return "systemd" if Path("/run/systemd/system").is_dir() else "cron"


def place(schedule: Schedule, program: str, into: Path) -> Iterator[str]:
    """Write what is not yet so, and start it; yield what was done. The other program's files are taken away."""
    wanted = files(schedule, program)
    other = (CRON,) if program == "systemd" else (TIMER, SERVICE)
    if any((into / path).exists() for path in other):
        yield from _remove(other, into)
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
        _systemctl("enable", "--now", TIMER.name)
        yield f"{TIMER.name} is enabled and waits"


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    put(target, text.encode(), 0o644)


def take_away(into: Path) -> Iterator[str]:
    """Stop it and remove its files; yield what was done."""
    found = [path for path in (TIMER, SERVICE, CRON) if (into / path).exists()]
    if not found:
        yield "nothing is scheduled"
        return
    yield from _remove(tuple(found), into)


def _remove(paths: tuple[Path, ...], into: Path) -> Iterator[str]:
    here = into == Path("/")
    if here and TIMER in paths:
        _systemctl("disable", "--now", TIMER.name)
    for path in paths:
        (into / path).unlink(missing_ok=True)
        yield f"{into / path} is gone"
    if here and TIMER in paths:
        _systemctl("daemon-reload")


def _systemctl(*words: str) -> None:
    try:
        done = subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KbzError(f"systemctl {' '.join(words)}: {error}", hint="--by cron") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise KbzError(
            f"systemctl {' '.join(words)}: {said}", hint="--by cron, or see what it says"
        )


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """Whether drift is looked for by itself, and whether that works."""

    program: str
    """`systemd` or `cron`; empty when nothing is scheduled."""
    every: str
    since: float | None
    """When the schedule was written: seconds since the epoch."""
    last: RunRecord | None
    """The newest run of the schedule, however it ended; of anybody's where nothing is scheduled."""
    last_look: RunRecord | None
    """The newest of them that has looked."""
    present: int
    """What that run found."""
    due: float | None
    """When the next begins, before its jitter."""
    overdue: bool

    @property
    def good(self) -> bool:
        """True when it is scheduled and has looked lately."""
        return bool(self.program) and not self.overdue


def schedule_status(journal: Journal, into: Path, now: float) -> ScheduleStatus:
    """Return the status at a moment, from the files and the journal."""
    program, path, found = _installed(into)
    runs = journal.find(_FAR_BACK, verb="drift")
    if found:
        runs = tuple(record for record in runs if record.arguments == (found[4],))
    look = next((record for record in runs if record.exit_code in _LOOKED), None)
    items = journal.drift(look.number) if look else ()
    present = sum(item.standing.value in ("new", "still") for item in items)
    last = runs[0] if runs else None
    if not found:
        return ScheduleStatus("", "", None, last, look, present, None, False)
    since, every = path.stat().st_mtime, EVERY[found[1]]
    patience = 2 * every.seconds + int(found[2]) + int(found[3]) + GRACE
    late = now - max(since, look.started if look else 0.0) > patience
    due = next_due(every, now)
    return ScheduleStatus(program, found[1], since, last, look, present, due, late)


def _installed(into: Path) -> tuple[str, Path, re.Match[str] | None]:
    """Return which program has a schedule of ours, in which file, and what its head says."""
    for program, path in (("systemd", into / TIMER), ("cron", into / CRON)):
        found = _HEAD.match(path.read_text(encoding="utf-8")) if path.is_file() else None
        if found and found[1] in EVERY:
            return program, path, found
    return "", into, None


def next_due(every: Every, now: float) -> float:
    """Return when the next run begins, in this machine's own time of day."""
    here = datetime.fromtimestamp(now).astimezone()
    moment = here.replace(hour=every.first_hour, minute=0, second=0, microsecond=0)
    moment -= timedelta(days=1)
    while moment.timestamp() <= now:
        moment += timedelta(seconds=every.seconds)
    return moment.timestamp()

"""What a schedule is, and its files: a systemd timer, or a file of cron, on the machine that kbz runs on. Pure."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import UsageError

PROGRAMS = ("systemd", "cron")
GRACE = 60
"""Seconds after the deadline for hosts, in which a run writes down what it knows."""
_PLAIN = re.compile(r"[\w@%+=:,./!*?-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Every:
    """How often, in the words of both programs."""

    seconds: int
    calendar: str
    cron: str
    first_hour: int = 0


EVERY = {
    "5min": Every(300, "*:0/5", "*/5 * * * *"),
    "15min": Every(900, "*:0/15", "*/15 * * * *"),
    "30min": Every(1800, "*:0/30", "*/30 * * * *"),
    "hourly": Every(3600, "hourly", "0 * * * *"),
    "6h": Every(21600, "0/6:00", "0 */6 * * *"),
    "daily": Every(86400, "*-*-* 03:00", "0 3 * * *", first_hour=3),
}


DEADLINE = 300
"""Seconds for hosts to answer, where `install` is told nothing else."""


def jitter_of(every: str) -> int:
    """Return the seconds within which a run begins, where `install` is told nothing else."""
    return EVERY[every].seconds // 12


def patience(every: str, jitter: int | None = None, deadline: int = DEADLINE) -> int:
    """Return the seconds after a run's end or begin within which the one after the next must have ended."""
    waits = jitter_of(every) if jitter is None else jitter
    return 2 * EVERY[every].seconds + waits + deadline + GRACE


@dataclass(frozen=True, slots=True)
class Watch:
    """A verb that can look on a schedule. Its command `look` takes --deadline, --jitter and --only-new."""

    verb: str
    about: str
    """What it looks for, in a few words."""
    every: str
    """How often, where nothing else is asked for."""
    works: tuple[str, ...] = ()
    """What is called of the verb where that does something instead of looking: each bad end of it is a failure."""
    deadline: int = DEADLINE
    """Seconds for one run, where nothing else is asked for."""

    @property
    def service(self) -> Path:
        """The unit, as a path below /."""
        return Path(f"etc/systemd/system/kbz-{self.verb}.service")

    @property
    def timer(self) -> Path:
        """The timer of the unit, as a path below /."""
        return Path(f"etc/systemd/system/kbz-{self.verb}.timer")

    @property
    def failed(self) -> Path:
        """The unit that tells the receivers of site.yaml when the unit fails, as a path below /."""
        return Path(f"etc/systemd/system/kbz-{self.verb}-failed.service")

    @property
    def cron(self) -> Path:
        """The file of cron, as a path below /."""
        return Path(f"etc/cron.d/kbz-{self.verb}")


DRIFT = Watch("drift", "what was changed by hand", "hourly")
HEALTH = Watch("health", "what is not healthy", "15min")
BACKUP = Watch(
    "backup", "backups of all services", "daily", ("run", "all", "--only-bad"), 12 * 3600
)
MAIL = "sendmail"
"""The program that takes mail, for cron and for systemd alike."""
_TELL = r"""
said=$(journalctl --sync; journalctl --quiet --output=cat "_SYSTEMD_INVOCATION_ID=$INVOCATION_ID";
[ "$SERVICE_RESULT" = success ] || echo "kbz VERB could not look: $SERVICE_RESULT, exit $EXIT_STATUS");
[ -z "$said" ] || ! command -v sendmail >/dev/null ||
printf 'To: root\nSubject: kbz VERB on %s\n\n%s\n' "$(hostname)" "$said" | sendmail -i -t
"""
"""What cron does by itself: all that was printed is mailed, and nothing where nothing was. The journal has it too."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When and how to look."""

    watch: Watch
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
        if self.watch.works:
            return ["--config", str(self.config), self.watch.verb, *self.watch.works, *jitter]
        return [
            *("--config", str(self.config), self.watch.verb, "look", *self.modules, *limits),
            *("--deadline", str(self.deadline), "--only-new", *jitter),
        ]

    def argv(self, program: str) -> list[str]:
        """Return the command line of one run."""
        return [*_kbz(), *self.words(program)]

    def head(self, program: str) -> str:
        """Return the first lines of each file, by which it is known again, and its runs in the journal too."""
        return (
            f"# kbz {self.watch.verb}: every {self.every}, jitter {self.jitter}, deadline {self.deadline}\n"
            f"# {shlex.join(['kbz', *self.words(program)])}\n"
            f"# `kbz {self.watch.verb} install` writes it, `kbz {self.watch.verb} uninstall` removes it.\n"
        )


def _kbz() -> list[str]:
    """Return the words that call kbz as it runs now."""
    script = Path(sys.executable).parent / "kbz"
    return [str(script)] if script.exists() else [sys.executable, "-m", "keybuzz.cli.main"]


def files(schedule: Schedule, program: str) -> dict[Path, str]:
    """Return the files of a schedule, by their path below /. UsageError for words that no file can hold. Pure."""
    if any(_CONTROL.search(word) for word in schedule.words(program)):
        raise UsageError("a line break cannot be scheduled", hint="give plain words")
    return _units(schedule) if program == "systemd" else {schedule.watch.cron: _cron(schedule)}


def _units(schedule: Schedule) -> dict[Path, str]:
    head, watch = schedule.head("systemd"), schedule.watch
    tell = " ".join(_TELL.split("\n")).strip().replace("VERB", watch.verb)
    # The exit codes of a look say what was found, and that is no fault of the unit: it fails when it could not look.
    found = "" if watch.works else "SuccessExitStatus=2 3 4\n"
    service = f"""{head}[Unit]
Description=kbz {watch.verb}: {watch.about}
Wants=network-online.target
After=network-online.target
OnFailure={watch.failed.name}

[Service]
Type=oneshot
ExecStart={" ".join(_unit_word(word) for word in schedule.argv("systemd"))}
TimeoutStartSec={schedule.deadline + GRACE}
{found}# It prints only what is worth a warning, and mails that to root.
SyslogLevel=warning
ExecStopPost=-/bin/sh -c {_unit_word(tell)}
"""
    timer = f"""{head}[Unit]
Description=kbz {watch.verb}, {schedule.every}

[Timer]
OnCalendar={EVERY[schedule.every].calendar}
RandomizedDelaySec={schedule.jitter}
Persistent=true

[Install]
WantedBy=timers.target
"""
    told = [*_kbz(), "--config", str(schedule.config), "notify", "failed", watch.service.name]
    failed = f"""{head}[Unit]
Description=kbz {watch.verb}: tell that it failed

[Service]
Type=oneshot
ExecStart={" ".join(_unit_word(word) for word in told)}
TimeoutStartSec=300
"""
    return {watch.service: service, watch.timer: timer, watch.failed: failed}


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

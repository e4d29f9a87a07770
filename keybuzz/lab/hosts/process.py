"""Run programs of this machine; a failure becomes a sentence."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from keybuzz.model.core.errors import KbzError

Argument = str | Path

Report = Callable[[str, str], None]
"""Progress: host name (or "" for the lab as a whole), and a sentence."""

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_LINES = 6


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for programs of the lab: Debian's own programs first, no translations.

    The rest of the caller's environment stays: it may hold what package downloads need.
    """
    return {**os.environ, "PATH": _PATH, "LC_ALL": "C.UTF-8", **(extra or {})}


def run(
    argv: Sequence[Argument],
    *,
    feed: str = "",
    seconds: float = 120,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Raises KbzError with the last lines that the program said when it fails, does not exist, or
    needs more than `seconds`.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=feed,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env=clean_environment(environment),
        )
    except subprocess.TimeoutExpired as error:
        raise KbzError(f"{words[0]} did not end within {seconds:.0f} s", where="lab") from error
    except OSError as error:
        raise KbzError(
            f"{words[0]} cannot be started: {error.strerror}",
            where="lab",
            hint="kbz lab up installs what the lab needs",
        ) from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL_LINES:])
        raise KbzError(f"{' '.join(words[:4])} … failed ({done.returncode}): {said}", where="lab")
    return done.stdout


def succeeds(argv: Sequence[Argument], *, seconds: float = 120) -> bool:
    """Return whether a program ends well; for questions, where "no" is an answer."""
    try:
        run(argv, seconds=seconds)
    except KbzError:
        return False
    return True


def launch(
    argv: Sequence[Argument],
    *,
    group: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a program that outlives this one: own session, init as its parent, output in a log.

    It is a member of the control group `group` before this returns.
    """
    enter = 'umask 022; echo "$$" > "$0"; exec setsid --fork "$@"'
    with log.open("wb") as output:
        done = subprocess.run(
            ["sh", "-c", enter, str(group / "cgroup.procs"), *(str(word) for word in argv)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            env=clean_environment(environment),
            cwd="/",
        )
    if done.returncode != 0:
        raise KbzError(f"{argv[0]} cannot be started", where="lab", hint=f"read {log}")


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a lock file for the length of a block; waits for another living holder."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

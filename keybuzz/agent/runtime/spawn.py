"""Starts a program in a session of its own, with pipes to its three streams.

What `subprocess.Popen` would do here, by one call of the system: its import takes longer than most programs run.
"""

from __future__ import annotations

import os
from errno import ENOENT

from keybuzz.agent.runtime import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IGNORED_BY_PYTHON = (signals.SIGPIPE, signals.SIGXFSZ)


class Process:
    """A started program: its pid, and our ends of its streams."""

    __slots__ = ("pid", "stderr", "stdin", "stdout")

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr


def start(argv: Sequence[str], env: Mapping[str, str]) -> Process:
    """Start `argv` with exactly the environment `env`, whose PATH finds it. OSError when that fails."""
    program = _find(argv[0], env.get("PATH", os.defpath))
    pipes = (os.pipe(), os.pipe(), os.pipe())
    theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
    ours = (pipes[0][1], pipes[1][0], pipes[2][0])
    try:
        pid = os.posix_spawn(
            program,
            tuple(argv),
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(theirs)],
            setsid=True,
            setsigdef=_IGNORED_BY_PYTHON,
        )
    except BaseException:
        _close(ours)
        raise
    finally:
        _close(theirs)
    return Process(pid, *ours)


def _find(name: str, path: str) -> str:
    """Return the program's file: the first in PATH that may be run."""
    if "/" in name:
        return name
    for folder in path.split(":"):
        file = os.path.join(folder, name)
        if os.access(file, os.X_OK) and not os.path.isdir(file):
            return file
    raise FileNotFoundError(ENOENT, os.strerror(ENOENT), name)


def _close(ends: tuple[int, ...]) -> None:
    for end in ends:
        os.close(end)

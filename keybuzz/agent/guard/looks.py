"""Holds a session to looking: what would change the host is refused at the moment that it would happen.

Python tells this hook of each file that is opened, removed or renamed and of each program that is started (PEP 578);
our own clients tell it what they are about to ask a daemon. A hook cannot be taken away again, so that no later frame
goes further, whatever reading or kind of resource it names.
"""

from __future__ import annotations

import sys

from keybuzz.agent.guard import questions
from keybuzz.agent.guard.access import LookOnlyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_O_WRONLY, _O_RDWR, _O_CREAT, _O_TRUNC, _O_APPEND = 0o1, 0o2, 0o100, 0o1000, 0o2000
_WRITING = _O_WRONLY | _O_RDWR | _O_CREAT | _O_TRUNC | _O_APPEND
_FILES = frozenset(
    {
        "os.chflags",
        "os.chmod",
        "os.chown",
        "os.link",
        "os.lockf",
        "os.mkdir",
        "os.remove",
        "os.removexattr",
        "os.rename",
        "os.rmdir",
        "os.setxattr",
        "os.symlink",
        "os.truncate",
        "os.utime",
    }
)
"""What changes a file, a folder or a name. (Each is told under one name: `os.replace` is `os.rename`.)"""
_OTHERS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.kill", "os.spawn", "os.system", "pty.spawn"}
)
"""What starts or ends programs by another way than keybuzz.agent.runtime.spawn."""


def hold_to(access: str) -> None:
    """Refuse from now on, in this whole process and for good, what goes further than `access`."""
    sys.addaudithook(Guard(access))


class Guard:
    """The hook. It is called for everything that Python tells of, most of which is no concern of it."""

    def __init__(self, access: str) -> None:
        self._access = access
        self._judges: dict[str, Callable[..., str]] = {
            "open": _opened,
            "os.posix_spawn": _started,
            **questions.judges(access),
            **{event: _named(event) for event in _FILES | _OTHERS},
        }

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise LookOnlyError for what must not happen here."""
        judge = self._judges.get(event)
        if judge is None and event.startswith("kbz."):
            judge = self._judges[event] = questions.judge_of_module(event, self._access)
        if judge is not None and (what := judge(*arguments)):
            raise LookOnlyError(what, self._access)


def _opened(path: object, mode: object, flags: object) -> str:
    writes = isinstance(flags, int) and flags & _WRITING
    return f"to open {path} for writing" if writes else ""


def _started(path: object, argv: Iterable[str], env: object) -> str:
    words = tuple(argv)
    return "" if questions.is_a_look(words) else f"to run `{' '.join(words)[:120]}`"


def _named(event: str) -> Callable[..., str]:
    return lambda *arguments: f"{event} of {arguments[0] if arguments else '?'}"

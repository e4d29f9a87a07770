"""`--debug-log FILE`: what kbz asks of which host, and how long it takes. No content of a frame, no secret."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.visible import visible

_TOP = logging.getLogger("keybuzz")


class _OneLine(logging.Formatter):
    """A record a line: the time in UTC, the logger, and the sentence with control characters made visible."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record)).replace("\n", " ")


def write_to(path: Path) -> Callable[[], None]:
    """Append every record of kbz to the file until the returned function is called.

    The file is made with mode 0600. InputError when it cannot be written, or is no plain file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unusable(path, "it is no plain file")
    stream = os.fdopen(descriptor, "a", encoding="utf-8")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_OneLine("%(asctime)s %(name)s %(message)s"))
    _TOP.addHandler(handler)
    before = _TOP.level
    _TOP.setLevel(logging.DEBUG)

    def end() -> None:
        _TOP.removeHandler(handler)
        _TOP.setLevel(before)
        stream.close()

    return end


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"the debug log cannot be written: {why}",
        where=str(path),
        hint="name a file in a folder that is yours",
    )

"""A fault of kbz itself, put into words: a sentence for the user, and the traceback in the state folder."""

from __future__ import annotations

import os
import time
import traceback
from contextlib import suppress
from pathlib import Path

import keybuzz
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.visible import one_line
from keybuzz.site.files.private import StateError, open_private

_CODE = Path(keybuzz.__file__).parents[1]


def of_a_fault(error: Exception, state: Path | None, redactor: Redactor) -> KbzError:
    """Return the error that says so, without secrets; its details are kept in the folder `state`, if that can be."""
    kept = _keep(error, state, redactor)
    details = f"; the details are in {kept}" if kept is not None else ""
    text = one_line(redactor.text(" ".join(str(error).split())))
    return KbzError(
        f"kbz found a fault of its own: {type(error).__name__}: {text} ({_place(error)}); "
        f"please report it with the command{details}"
    )


def _place(error: Exception) -> str:
    """Return the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_relative_to(_CODE / "keybuzz") or path.is_relative_to(_CODE / "tasks"):
            return f"{path.relative_to(_CODE)}:{frame.lineno}"
    return "no line of kbz"


def _keep(error: Exception, state: Path | None, redactor: Redactor) -> Path | None:
    """Write the traceback, 0600, where the state is; None when this cannot be done."""
    if state is None:
        return None
    path = state / f"fault-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    text = redactor.text("".join(traceback.format_exception(error)))
    with suppress(OSError, StateError):
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
        return path
    return None

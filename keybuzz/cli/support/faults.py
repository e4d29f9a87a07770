"""What a user is told when an error arrives that nobody has put into words: a sentence, and never a traceback."""

from __future__ import annotations

import os
import sqlite3
import time
import traceback
from contextlib import suppress
from pathlib import Path

import keybuzz
from keybuzz.model.core.errors import InputError, KbzError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.pending import all_pending
from keybuzz.site.credentials.store import hidden, load_credentials
from keybuzz.site.load import read_configuration
from keybuzz.site.settings import load_settings
from keybuzz.site.site import Settings

_CODE = Path(keybuzz.__file__).parents[1]


def explain(error: Exception, configuration: Path) -> KbzError:
    """Return what is wrong in words, without secrets; the traceback of a fault of kbz goes into the state folder."""
    settings = _settings(configuration)
    redactor = _redactor(settings)
    if isinstance(error, sqlite3.Error):
        place = settings.state / "journal.sqlite" if settings is not None else "journal.sqlite"
        return KbzError(
            f"the journal can not be used: {redactor.text(str(error))}",
            where=str(place),
            hint="it must be a file that this user may write, on a disk with room",
        )
    if isinstance(error, OSError):
        return _of_system(error, redactor)
    kept = _keep(error, settings, redactor)
    details = f"; the details are in {kept}" if kept is not None else ""
    text = redactor.text(" ".join(str(error).split()))
    return KbzError(
        f"kbz found a fault of its own: {type(error).__name__}: {text} ({_place(error)}); "
        f"please report it with the command{details}"
    )


def _of_system(error: OSError, redactor: Redactor) -> KbzError:
    reason = error.strerror or str(error) or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    what = "can not be used" if names else "the system refused something"
    denied = isinstance(error, PermissionError)
    return KbzError(
        redactor.text(f"{what}: {reason}"),
        where=redactor.text(" → ".join(names)),
        hint="use a user who may, such as root" if denied else "",
    )


def _place(error: Exception) -> str:
    """Return the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_relative_to(_CODE / "keybuzz") or path.is_relative_to(_CODE / "tasks"):
            return f"{path.relative_to(_CODE)}:{frame.lineno}"
    return "no line of kbz"


def _settings(configuration: Path) -> Settings | None:
    with suppress(InputError, OSError):
        found = read_configuration(configuration)
        return load_settings(found.path.resolve().parent, found.site, found.overlay)
    return None


def _redactor(settings: Settings | None) -> Redactor:
    """Return what masks the store and what a rotation has begun with; a store that can not be read told us nothing."""
    if settings is None:
        return Redactor(())
    found: list[Secret] = []
    with suppress(InputError, OSError):
        found += hidden(load_credentials(settings.credentials))
    with suppress(InputError, OSError):
        found += all_pending(settings.credentials)
    return Redactor(found)


def _keep(error: Exception, settings: Settings | None, redactor: Redactor) -> Path | None:
    """Write the traceback, 0600, where the state is; None when this can not be done."""
    if settings is None:
        return None
    path = settings.state / f"fault-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    text = redactor.text("".join(traceback.format_exception(error)))
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
        return path
    return None

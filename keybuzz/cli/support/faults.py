"""What a user is told when an error arrives that has no message of its own: a sentence, and never a traceback."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from keybuzz.engine.memory.fault import of_a_fault
from keybuzz.model.core.errors import InputError, KbzError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.pending import all_pending
from keybuzz.site.credentials.store import hidden, load_credentials
from keybuzz.site.load import read_configuration
from keybuzz.site.settings import load_settings
from keybuzz.site.site import Settings


def explain(error: Exception, configuration: Path) -> KbzError:
    """Return what is wrong in words, without secrets; the traceback of a fault of kbz goes into the state folder."""
    settings = _settings(configuration)
    redactor = _redactor(settings)
    if isinstance(error, sqlite3.Error):
        place = settings.state / "journal.sqlite" if settings is not None else "journal.sqlite"
        return KbzError(
            f"the journal cannot be used: {redactor.text(str(error))}",
            where=str(place),
            hint="it must be a file that this user may write, on a disk with room",
        )
    if isinstance(error, OSError):
        return _of_system(error, redactor)
    return of_a_fault(error, settings.state if settings is not None else None, redactor)


def _of_system(error: OSError, redactor: Redactor) -> KbzError:
    reason = error.strerror or str(error) or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    what = "cannot be used" if names else "the system refused something"
    denied = isinstance(error, PermissionError)
    return KbzError(
        redactor.text(f"{what}: {reason}"),
        where=redactor.text(" → ".join(names)),
        hint="use a user who may, such as root" if denied else "",
    )


def _settings(configuration: Path) -> Settings | None:
    with suppress(InputError, OSError):
        found = read_configuration(configuration)
        return load_settings(found.path.resolve().parent, found.site, found.overlay)
    return None


def _redactor(settings: Settings | None) -> Redactor:
    """Return what masks the store and what a rotation has begun with; a store that cannot be read told us nothing."""
    if settings is None:
        return Redactor(())
    found: list[Secret] = []
    with suppress(InputError, OSError):
        found += hidden(load_credentials(settings.credentials))
    with suppress(InputError, OSError):
        found += all_pending(settings.credentials)
    return Redactor(found)

"""What ended a part of a change: always an error in words, so that a report of what was done comes first."""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.memory.fault import of_a_fault
from keybuzz.model.core.errors import KbzError, StoppedError
from keybuzz.model.core.redact import Redactor
from keybuzz.site.credentials.store import hidden
from keybuzz.site.site import Site


def ended_by(site: Site, cuts: Cuts, act: Callable[[], object], again: str) -> KbzError | None:
    """Do a part of a change, which a signal may cut off; return what ended it, if anything did.

    From its end on no signal cuts off what follows, until `cuts.allow`. `again` is the command that goes on.
    """
    error: KbzError | None = None
    try:
        try:
            cuts.allow()
            act()
        except KbzError as said:
            error = said
        except Exception as fault:
            error = of_a_fault(fault, site.settings.state, Redactor(hidden(site.credentials)))
        cuts.forbid()
    except KeyboardInterrupt:
        error = error or StoppedError("interrupted: the steps at work were cut off", hint=again)
    return error

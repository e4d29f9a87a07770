"""How a run ended whose modules were side by side: one error with all that failed, and what could not begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keybuzz.engine.chains.order import End, Ends, Place
from keybuzz.model.core.errors import KbzError, StepError, StoppedError
from keybuzz.model.core.outcome import ExitCode

_SEVERITY = (
    ExitCode.REFUSED,
    ExitCode.FAILED,
    ExitCode.UNREACHABLE,
    ExitCode.INTERRUPTED,
)
"""As over hosts: what decides comes first."""


def ended(places: Iterable[Place], ends: Ends, errors: Mapping[str, KbzError]) -> KbzError | None:
    """Return what ended a run: the one error as it is, or all of them in one; None when every module ended well."""
    if not errors:
        return None
    first = min(errors.values(), key=_rank)
    if isinstance(first, StoppedError):
        return first  # all were stopped by the same thing, and `kbz resume` begins the rest
    order = [place.name for place in places]
    not_begun = [name for name in order if ends.get(name) is End.NOT_BEGUN]
    well = [name for name in order if ends.get(name) is End.WELL]
    if len(errors) == 1 and not not_begun:
        return first
    parts = [_said(name, errors[name]) for name in order if name in errors]
    if not_begun:
        parts.append(f"not begun: {', '.join(not_begun)}")
    if well:
        parts.append(f"done: {', '.join(well)}")
    found = StepError("; ".join(parts), hint=first.hint)
    found.code = first.code
    return found


def _said(name: str, error: KbzError) -> str:
    place = f" ({error.where})" if error.where and error.where != name else ""
    return f"{name}{place}: {error.what}"


def _rank(error: KbzError) -> int:
    return (
        _SEVERITY.index(error.code) if error.code in _SEVERITY else _SEVERITY.index(ExitCode.FAILED)
    )

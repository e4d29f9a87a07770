"""Progress of modules that are at work side by side: whose line it is, and what each does now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keybuzz.engine import events

_MARKS = "✓✗…·"


def inside(event: events.Event) -> tuple[str, events.Event]:
    """Return the module that an event happens in, empty where one is at work alone, and the event itself."""
    match event:
        case events.Beside(module, inner):
            return module, inner
        case _:
            return "", event


def side_by_side(event: events.Event, words: Callable[[events.Event], str | None]) -> str | None:
    """Return what an event means when modules are at work side by side; None for one that is about one alone.

    `words` says the same of the event inside.
    """
    match event:
        case events.Beside(module, inner):
            text = words(inner)
            return None if text is None else _of(module, text)
        case events.Arranged(waits):
            return f"side by side: {_order(waits)}"
        case events.ModuleBegun(module):
            return f"{module}: begins"
        case events.ModuleEnded(module, seconds, error):
            end = (
                f"ended after {seconds:.1f} s: {error}" if error else f"done after {seconds:.1f} s"
            )
            return f"  {'✗' if error else '✓'} {module}: {end}"
        case events.NotBegun(module, because):
            return f"  ✗ {module}: not begun: {', '.join(because)} did not end well"
        case _:
            return None


def _of(module: str, text: str) -> str:
    """Return a sentence with the module that it is about, after its mark."""
    said = text.strip()
    if f"{module}: " in said:
        return text
    mark, _, rest = said.partition(" ")
    return f"  {mark} {module}: {rest}" if mark in _MARKS else f"{module}: {said}"


def _order(waits: Mapping[str, tuple[str, ...]]) -> str:
    """Return which modules wait for which; what follows from another wait is left out."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, others in waits.items():
        implied = {far for other in others for far in waits.get(other, ())}
        groups.setdefault(tuple(one for one in others if one not in implied), []).append(name)
    return "; ".join(
        f"{', '.join(names)} after {', '.join(others)}" if others else ", ".join(names)
        for others, names in groups.items()
    )


@dataclass
class AtWork:
    """How far a module is, in one line that changes."""

    now: str = "working"
    _stage: str = ""
    _done: int = 0
    _changes: int = 0
    _active: dict[str, str] = field(default_factory=dict)

    def follow(self, event: events.Event, said: str) -> None:
        """Take an event in; `said` is its sentence."""
        match event:
            case events.StageStarted(module, name, _, changes):
                self._stage, self._done, self._changes = f"{module}: {name}", 0, changes
            case events.StageEnded():
                self._stage = ""
                self._active.clear()
            case events.StepStarted(host, identity):
                self._active[host] = identity
            case events.StepEnded(host):
                self._active.pop(host, None)
                self._done += 1
            case _:
                self.now = said or self.now

    def text(self, named: str = "") -> str:
        """Return the line; `named` comes first where what it says does not begin with it."""
        text = f"{self._stage}: {self._done} of {self._changes}" if self._stage else self.now
        if self._active:
            host, step = next(iter(self._active.items()))
            more = len(self._active) - 1
            text += f"; waiting for {host} {step}" + (f" and {more} more" if more else "")
        return text if text.startswith(named) else f"{named}{text}"

"""Progress on stderr while a verb works: a calm line per event, or one live line on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from keybuzz.engine import events
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.visible import one_line

if TYPE_CHECKING:
    from rich.status import Status


def sentence(event: events.Event) -> str | None:
    """Return what an event means, in one line; None for what only a live line shows."""
    words = _words(event)
    return None if words is None else one_line(words)


def _words(event: events.Event) -> str | None:
    match event:
        case events.Reading(hosts, purpose):
            return f"reading {hosts} host{'s' * (hosts != 1)} ({purpose})"
        case events.HostLost(host, reason):
            return f"{host}: unreachable: {reason}"
        case events.Planned(plan):
            return _planned(plan.size, len(plan.changes))
        case events.StageStarted(module, name, hosts, changes):
            where = ", ".join(hosts) if len(hosts) <= 5 else f"{len(hosts)} hosts"
            return f"{module}: {name}: {changes} change{'s' * (changes != 1)} on {where}"
        case events.StepStarted():
            return None
        case events.StepEnded(host, identity, outcome, what, _):
            mark = {Outcome.CHANGED: "✓", Outcome.OK: "·"}.get(outcome, "✗")
            detail = f": {outcome.value}: {what}" if what else ""
            return f"  {mark} {host}  {identity}{detail}"
        case _:
            return _gate_or_image(event)


def _planned(changes: int, hosts: int) -> str:
    if not changes:
        return "nothing to change"
    return f"{changes} change{'s' * (changes != 1)} to make on {hosts} host{'s' * (hosts != 1)}"


def _gate_or_image(event: events.Event) -> str | None:
    match event:
        case events.Postponed(module, reason):
            return f"{module}: put off until the others are done: {reason}"
        case events.GateWaiting(name, reason):
            return f"  … {name}: {reason}"
        case events.GateHeld(name, seconds):
            return f"  ✓ {name} (after {seconds:.1f} s)" if seconds >= 0.1 else f"  ✓ {name}"
        case events.ImageWork(reference, doing):
            return f"  {reference} {doing}"
        case events.Drilled(text):
            return f"drill: {text}"
        case _:
            return None


class Lines:
    """Plain lines: for logs, pipes and cron."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def __call__(self, event: events.Event) -> None:
        text = sentence(event)
        if text is None:
            return
        with self._lock:
            elapsed = time.monotonic() - self._started
            # When nobody reads any more (`2>&1 | head`, a full disk), the work itself goes on.
            with suppress(OSError, ValueError):
                print(f"{elapsed:6.1f}s {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class LiveLine(Lines):
    """Lines that stay, and under them one line that names the host and step at work now."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        super().__init__(stream)
        self._console = Console(file=stream, highlight=False)
        self._status: Status = self._console.status("starting")
        self._status.start()
        self._active: dict[str, str] = {}

    def __call__(self, event: events.Event) -> None:
        from rich.text import Text

        with self._lock:
            if isinstance(event, events.StepStarted):
                self._active[event.host] = event.identity
            elif isinstance(event, events.StepEnded):
                self._active.pop(event.host, None)
            text = sentence(event)
            if text is not None:
                elapsed = time.monotonic() - self._started
                self._console.print(Text(f"{elapsed:6.1f}s {text}"))
            self._status.update(Text(self._now(text)))

    def _now(self, text: str | None) -> str:
        if self._active:
            shown = [f"{host} {step}" for host, step in list(self._active.items())[:3]]
            more = len(self._active) - len(shown)
            return "; ".join(shown) + (f" and {more} more" if more > 0 else "")
        return (text or "working").strip()

    def close(self) -> None:
        """Remove the live line."""
        self._status.stop()


class Silent(Lines):
    """Says nothing: for --format json, whose caller wants one document."""

    def __call__(self, event: events.Event) -> None:
        del event


def listener(*, quiet: bool) -> Lines:
    """Return what fits stderr: live on a terminal, lines elsewhere, nothing when quiet."""
    if quiet:
        return Silent(sys.stderr)
    return LiveLine(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)

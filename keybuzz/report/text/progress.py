"""Progress on stderr: a calm line per stage, or one live line on a terminal; every step on demand."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from keybuzz.engine import events
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.visible import one_line
from keybuzz.report.screen.at_work import AtWork, inside, side_by_side
from keybuzz.report.screen.fit import broken
from keybuzz.report.screen.hosts import count, shown_hosts

if TYPE_CHECKING:
    from rich.status import Status

_GOOD = (Outcome.CHANGED, Outcome.OK)
_LONG = 10.0
"""Seconds after which a gate that still waits is told, and told again when its reason is another one."""
_NOTICED = 1.0
"""Seconds of waiting that are worth a line when the gate holds at last."""


class Detail(Enum):
    """How much is told."""

    STAGES = "stages"
    STEPS = "steps"
    """Every step and gate too: -v."""


def sentence(event: events.Event) -> str | None:
    """Return what an event means, in one line; None for what only a live line shows."""
    words = _words(event)
    return None if words is None else one_line(words)


def _words(event: events.Event) -> str | None:
    match event:
        case events.Reading(hosts, purpose):
            return f"reading {count(hosts, 'host')} ({purpose})"
        case events.HostsLost(hosts, reason):
            return f"{shown_hosts(hosts)}: unreachable: {reason}"
        case events.Planned(plan, read, unread):
            return _planned(plan.size, len(plan.changes), read, unread)
        case events.StageStarted(module, name, hosts, changes):
            return f"{module}: {name}: {count(changes, 'change')} on {_where(hosts)}"
        case events.StageEnded(module, name, hosts, made, changes):
            mark = "✓" if made == changes else "✗"
            return f"  {mark} {module}: {name}: {made} of {changes} on {_where(hosts)}"
        case events.StepStarted():
            return None
        case events.StepEnded(host, identity, outcome, what, _):
            mark = {Outcome.CHANGED: "✓", Outcome.OK: "·"}.get(outcome, "✗")
            detail = f": {outcome.value}: {what}" if what else ""
            return f"  {mark} {host}  {identity}{detail}"
        case _:
            return _gate_or_image(event)


def _where(hosts: tuple[str, ...]) -> str:
    return ", ".join(hosts) if len(hosts) <= 5 else f"{len(hosts)} hosts"


def _planned(changes: int, hosts: int, read: int, unread: int) -> str:
    rest = f"; {count(unread, 'host')} could not be read" if unread else ""
    if changes:
        return f"{count(changes, 'change')} to make on {count(hosts, 'host')}{rest}"
    if not read:
        return f"no host could be read: what there is to change on {unread} is not known"
    return f"nothing to change on {count(read, 'host')}{rest}"


def _gate_or_image(event: events.Event) -> str | None:
    match event:
        case events.Postponed(module, reason):
            return f"{module}: put off until the others are done: {reason}"
        case events.BatchEnded(module, done, left, pause):
            wait = f", after {pause:g} s" if pause else ""
            return f"{module}: {count(done, 'host')} done, {left} left{wait}"
        case events.LeftOut(host, reason):
            return f"{host}: left out of the rest of this run: {reason}"
        case events.NotLed(module, reason):
            return f"{module}: leads on as it does: {reason}"
        case events.GateWaiting(name, reason):
            return f"  … {name}: {reason}"
        case events.GateHeld(name, seconds):
            return f"  ✓ {name} (after {seconds:.1f} s)" if seconds >= 0.1 else f"  ✓ {name}"
        case events.ImageWork(reference, doing):
            return f"  {reference} {doing}"
        case events.Drilled(text):
            return f"drill: {text}"
        case _:
            return side_by_side(event, _words)


class Lines:
    """Plain lines: for logs, pipes and cron."""

    def __init__(self, stream: TextIO, detail: Detail = Detail.STAGES) -> None:
        self._stream = stream
        self._detail = detail
        # A live line holds it while it calls the plain line, which takes it again.
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._waits: dict[tuple[str, str], float] = {}
        """Since when each gate of a module waits, or when it was told last."""

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            text = self._told(event)
            if text is not None:
                self._print(f"{time.monotonic() - self._started:6.1f}s {text}")

    def _told(self, event: events.Event) -> str | None:
        """Return the sentence of an event, if it is told in this detail."""
        module, inner = inside(event)
        if self._detail is Detail.STEPS:
            return None if isinstance(inner, events.StageEnded) else sentence(event)
        match inner:
            case events.StageStarted() | events.ModuleBegun():
                return None
            case events.StepEnded() if inner.outcome in _GOOD:
                return None
            case events.GateWaiting(name):
                return sentence(event) if self._long((module, name)) else None
            case events.GateHeld(name, seconds):
                self._waits.pop((module, name), None)
                return sentence(event) if seconds >= _NOTICED else None
            case _:
                return sentence(event)

    def _long(self, gate: tuple[str, str]) -> bool:
        now = time.monotonic()
        if now - self._waits.setdefault(gate, now) < _LONG:
            return False
        self._waits[gate] = now
        return True

    def _print(self, line: str) -> None:
        # When nothing reads any more (`2>&1 | head`, a full disk), the work itself goes on.
        with suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class LiveLine(Lines):
    """Lines that stay, and under them one line that says how far the stage is and what is waited for.

    Modules that are at work side by side have a line each.
    """

    def __init__(self, stream: TextIO, detail: Detail = Detail.STAGES) -> None:
        from rich.console import Console

        super().__init__(stream, detail)
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._status: Status = self._console.status("starting")
        self._status.start()
        self._alone = AtWork()
        self._modules: dict[str, AtWork] = {}

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            self._follow(event)
            super().__call__(event)
            self._update()

    def _follow(self, event: events.Event) -> None:
        module, inner = inside(event)
        match inner:
            case events.ModuleBegun():
                self._modules[module] = AtWork("reading its hosts")
            case events.ModuleEnded():
                self._modules.pop(module, None)
            case _:
                self._modules.get(module, self._alone).follow(
                    inner, (sentence(inner) or "").strip()
                )

    def _update(self) -> None:
        from rich.text import Text

        lines = [line.text(f"{name}: ") for name, line in self._modules.items()]
        width = max(20, self._console.width - 4)
        self._status.update(
            Text("\n".join(_fitting(line, width) for line in lines or [self._alone.text()]))
        )

    def _print(self, line: str) -> None:
        from rich.text import Text

        with suppress(OSError, ValueError):
            for part in broken(line, self._console.width, 9):
                self._console.print(Text(part), soft_wrap=True)

    def close(self) -> None:
        """Remove the live line."""
        self._status.stop()


def _fitting(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"


class Silent(Lines):
    """Says nothing: for --format json, whose caller wants one document."""

    def __call__(self, event: events.Event) -> None:
        del event


def listener(*, quiet: bool, detail: Detail = Detail.STAGES) -> Lines:
    """Return what fits stderr: live on a terminal, lines elsewhere, nothing when quiet."""
    if quiet:
        return Silent(sys.stderr)
    return LiveLine(sys.stderr, detail) if sys.stderr.isatty() else Lines(sys.stderr, detail)

"""`--watch`: the same look again and again over the open connections, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from keybuzz.cli.support.common import SPAN
from keybuzz.cli.support.lasting import lost
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.visible import one_line, visible

_TOP = "\x1b[H"
_REST_OF_LINE = "\x1b[K"
_REST_OF_SCREEN = "\x1b[J"
_LEAST = 1.0

watch_option = click.option(
    "--watch", "-w", is_flag=True, help="Look again and again, until Ctrl-C."
)
every_option = click.option(
    "--every",
    type=SPAN,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: from the end of one look to the next.",
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    screen: str
    facts: frozenset[str]
    """One line each; what comes or goes among them is news."""
    code: int


def require_screen(form: str, place: Path | None) -> None:
    """Refuse another format, and a file: a watch is for people, on their screen."""
    if form != "text":
        raise UsageError(f"--watch shows text, and not {form}", hint="leave one of the two out")
    if place is not None:
        raise UsageError(
            "--watch shows a screen, and writes no file", hint="leave one of the two out"
        )


def watch(
    look: Callable[[], Look],
    every: float,
    rest: Callable[[float], None] = time.sleep,
) -> int:
    """Show what each look finds until Ctrl-C, and return the last code; 130 when no look was finished.

    On a terminal the screen is painted over itself, without a moment of emptiness, and what came or went stands
    under it. Elsewhere the first screen is printed whole, and then one line for each fact that came or went.
    """
    screen = sys.stdout.isatty()
    before: frozenset[str] | None = None
    changes: list[str] = []
    code = int(ExitCode.INTERRUPTED)
    try:
        while True:
            seen = look()
            code = seen.code
            fresh = news(before, seen.facts, datetime.now(UTC).astimezone())
            changes = [*changes, *fresh][-8:]
            if screen:
                _paint("\n".join([seen.screen, *changes, _footer(every)]))
            elif before is None:
                click.echo(visible(seen.screen.rstrip("\n")))
            else:
                for line in fresh:
                    click.echo(one_line(line))
            sys.stdout.flush()
            before = seen.facts
            if lost() is not None:
                return code  # the reader is gone
            rest(max(_LEAST, every))
    except KeyboardInterrupt:
        return code


def _footer(every: float) -> str:
    now = datetime.now(UTC).astimezone()
    return f"{now:%H:%M:%S}; next look in {max(_LEAST, every):g} s; Ctrl-C ends it"


def news(before: frozenset[str] | None, now: frozenset[str], moment: datetime) -> list[str]:
    """Return one line for each fact that came or went; none for the first look."""
    if before is None:
        return []
    stamp = f"{moment:%H:%M:%S}"
    came = [f"{stamp} + {fact}" for fact in sorted(now - before)]
    return [*came, *(f"{stamp} - {fact}" for fact in sorted(before - now))]


def _paint(text: str) -> None:
    lines = f"{_REST_OF_LINE}\n".join(visible(text).split("\n"))
    click.echo(f"{_TOP}{lines}{_REST_OF_SCREEN}", nl=False)

"""The typed name: what a destructive verb asks for before it takes away what no other command brings back."""

from __future__ import annotations

import signal
import sys

import click

from keybuzz.engine.cuts import heard
from keybuzz.model.core.errors import RefusedError

confirm_option = click.option(
    "--confirm", metavar="NAME", help="The typed name, for scripts; without it the terminal asks."
)


def at_terminal() -> bool:
    """Return whether there is a terminal to ask at; a closed standard input is none."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def ask_typed(question: str, default: str | None = None) -> str:
    """Return what is typed at the terminal, or the default for an empty line.

    KeyboardInterrupt at once for a signal or the end of the input.

    No step is at work while it is asked: there is nothing that a first Ctrl-C should wait for.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard()}
    try:
        answer: str = click.prompt(question, default, show_default=False, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return answer.strip()


def require_typed(name: str, given: str | None, loss: str) -> None:
    """Return when the name was typed, as --confirm or at the terminal; RefusedError otherwise.

    `loss` says what is gone afterwards, such as "the disks of lab kbz-lab are deleted".
    """
    if given is None and at_terminal():
        click.echo(f"{loss}.", err=True)
        given = ask_typed(f"Type {name} to go on")
    if given == name:
        return
    typed = "its name was not typed" if given is None else f"{given!r} was typed, not {name}"
    raise RefusedError(
        f"{loss}, and {typed}; nothing was changed",
        where=name,
        hint=f"--confirm {name} types the name in a script",
    )

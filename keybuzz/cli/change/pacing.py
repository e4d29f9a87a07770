"""Options about how carefully a verb goes over its hosts, and the question before it interrupts a service."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keybuzz.cli.support.common import WAIT, error_columns
from keybuzz.cli.support.typed_name import ask_typed, at_terminal
from keybuzz.engine.pace.pace import NO_FAILURE, Pace, Share, share
from keybuzz.model.core.errors import StoppedError, UsageError
from keybuzz.report.screen.fit import fit

if TYPE_CHECKING:
    from keybuzz.engine.look.survey import Survey

R = TypeVar("R")


if TYPE_CHECKING:
    _Type = click.ParamType[Share]
else:
    _Type = click.ParamType


class ShareType(_Type):
    """A number of hosts, or a percentage of those of the run."""

    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Share):
            return value
        try:
            return share(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_BATCH = click.option(
    "--batch", type=ShareType(), help="Finish so many hosts before the next ones are begun."
)
_CANARY = click.option(
    "--canary",
    default="",
    metavar="HOST",
    help="In each module this host first, alone; if it fails, no other is touched after it.",
)
_PAUSE = click.option(
    "--pause", type=WAIT, default=0.0, metavar="SECONDS", help="Wait between two batches."
)
_CONFIRM = click.option(
    "--confirm", "asks", is_flag=True, help="Ask at the terminal before each further batch."
)
_MAX_FAIL = click.option(
    "--max-fail",
    type=ShareType(),
    default=NO_FAILURE,
    show_default="0",
    help="Leave failed hosts out and go on, while no more than these have failed. Each `kbz resume` counts from zero.",
)


def paced(function: Callable[..., R]) -> Callable[..., R]:
    """Give a verb a `pace` of `--batch`, `--canary`, `--pause`, `--confirm` and `--max-fail`."""

    @functools.wraps(function)
    def wrapped(*args: Any, batch: Share | None, max_fail: Share, **words: Any) -> R:
        pace = _pace(words)
        return function(*args, pace=replace(pace, batch=batch, max_fail=max_fail), **words)

    return _BATCH(_CANARY(_PAUSE(_CONFIRM(_MAX_FAIL(wrapped)))))


def paced_members(function: Callable[..., R]) -> Callable[..., R]:
    """Give a verb that takes one member at a time a `pace` of `--canary`, `--pause` and `--confirm`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **words: Any) -> R:
        return function(*args, pace=_pace(words), **words)

    return _CANARY(_PAUSE(_CONFIRM(wrapped)))


def _pace(words: dict[str, Any]) -> Pace:
    """Take the options of every pace out of the words; UsageError for a question that no operator can answer."""
    canary, pause = words.pop("canary"), words.pop("pause")
    if not words.pop("asks"):
        return Pace(canary=canary, pause=pause)
    if not at_terminal():
        raise UsageError(
            "--confirm asks at a terminal, and there is none",
            hint="--pause SECONDS leaves time to interrupt it instead",
        )
    return Pace(canary=canary, pause=pause, agree=_agree)


def _agree(question: str) -> None:
    if not _yes(question):
        raise StoppedError("stopped between two batches", hint="kbz resume goes on with the rest")


def _yes(question: str) -> bool:
    return ask_typed(f"{question}; go on? [y/N]", "n").lower() in ("y", "yes")


def consent(found: Survey) -> bool:
    """Show a plan that interrupts running services, and ask; StoppedError without a yes.

    Returns:
        True when a question was asked, so that time has passed.

    Nothing is asked without a terminal, nor for a plan that interrupts nothing.
    """
    plan = found.plan
    hosts = [host for host, changes in plan.changes.items() if any(c.disrupts for c in changes)]
    if not hosts or not at_terminal():
        return False
    from keybuzz.report.screen.hosts import shown_hosts
    from keybuzz.report.screen.plan import plan_text

    width = error_columns()
    click.echo(fit(plan_text(plan, found.topologies, len(found.selected), width), width), err=True)
    return confirmed(f"This interrupts running services on {shown_hosts(hosts)}")


def confirmed(what: str) -> bool:
    """Ask at the terminal after a plan was shown; True when it has asked, StoppedError without a yes.

    Without a terminal nothing is asked.
    """
    if not at_terminal():
        return False
    if not _yes(what):
        raise StoppedError("nothing was changed", hint="--yes goes on without a question")
    return True


def no_question(found: Survey) -> bool:
    """Ask nothing: the operator has said --yes."""
    return False

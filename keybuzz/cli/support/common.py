"""Options that every verb has: how much it tells, and what other programs call by other names."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.report.screen.fit import LEAST, WIDTH

if TYPE_CHECKING:
    from keybuzz.report.text.progress import Detail

P = ParamSpec("P")
R = TypeVar("R")
Answer = Callable[[click.Context, click.Parameter, bool], None]
_VERBOSE = "keybuzz.verbose"
_QUIET = "keybuzz.quiet"
_JSON = "keybuzz.json"
_SECTIONS = ("run", "restart", "recover", "drill", "resume")
OUTPUT = "keybuzz.output"
"""The file of `--output`, in the context of the verb."""
UNBROKEN = sys.maxsize
"""Columns of what is no screen."""


def verbosity_options(*, hidden: bool) -> tuple[click.Option, ...]:
    """Return -v and -q, for the group and, hidden there, for each verb: people type them in both places."""
    return (
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            hidden=hidden,
            callback=_keep(_VERBOSE),
            help="Tell every step and gate, not only the stages.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            hidden=hidden,
            callback=_keep(_QUIET),
            help="Tell no progress; errors and the answer stay.",
        ),
        click.Option(
            ["--debug-log"],
            metavar="FILE",
            expose_value=False,
            hidden=hidden,
            callback=_debug_log,
            help="Append each request to a host, step and gate, with its seconds; no content, no secret.",
        ),
    )


def habit_options(words: str, command: click.Command) -> tuple[click.Option, ...]:
    """Return options of other tools that a verb answers with its own way, instead of with "no such option"."""
    known = {name for parameter in command.params for name in parameter.opts}
    found: list[click.Option] = []
    if words.partition(" ")[0] in _SECTIONS and "--dry-run" not in known:
        found.append(_answered("--dry-run", _dry_run))
    if "--yes" not in known and ("--confirm" in known or words in _SECTIONS):
        found.append(_answered("--yes", _yes if "--confirm" in known else None))
    return tuple(found)


def _answered(name: str, answer: Answer | None) -> click.Option:
    return click.Option(
        [name],
        is_flag=True,
        expose_value=False,
        hidden=True,
        callback=answer,
    )


def _dry_run(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if not given:
        return
    typed = [word for word in sys.argv[1:] if word != "--dry-run"]
    words = [word for word in typed if word not in _SECTIONS]
    raise UsageError(
        f"{context.command_path} has no --dry-run: `kbz plan` shows what would change, and changes nothing",
        hint=proposed("kbz", "plan", *words),
    )


def _yes(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given:
        raise UsageError(
            "--yes types no name: what is destroyed must be named",
            hint="--confirm NAME types it in a script; the refusal without it says which name",
        )


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """Give a verb `--json`, short for `--format json`; it stands before `--format`, whose callback is `form`."""
    return click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_keep(_JSON),
        help="Short for --format json.",
    )(function)


def form(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the form that `--format` or `--json` asks for."""
    if not context.meta.get(_JSON):
        return value
    typed = context.get_parameter_source("form") is not ParameterSource.DEFAULT
    if typed and value != "json":
        raise UsageError(f"--json and --format {value} exclude each other", hint="leave one out")
    return "json"


def _keep(key: str) -> Answer:
    def keep(context: click.Context, parameter: click.Parameter, given: bool) -> None:
        if given:
            context.meta[key] = True
            if context.meta.get(_VERBOSE) and context.meta.get(_QUIET):
                raise UsageError("-v and -q exclude each other", hint="leave one of the two out")

    return keep


def _debug_log(context: click.Context, parameter: click.Parameter, given: str | None) -> None:
    if given is not None:
        from keybuzz.transport.said.debug_log import write_to

        context.call_on_close(write_to(Path(given)))


def say_version(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    """Print the version, and the revision of the folder that kbz runs from where it is a clone."""
    if not given:
        return
    from importlib.metadata import version

    from keybuzz.engine.memory.journal import revision

    here = revision(Path(__file__).resolve().parents[3])
    click.echo(" ".join(("kbz", version("kbz"))) + (f" (revision {here})" if here else ""))
    context.exit()


def is_quiet() -> bool:
    """Return True when no progress is wanted."""
    return bool(click.get_current_context().meta.get(_QUIET))


def detail() -> Detail:
    """Return how much progress is told."""
    from keybuzz.report.text.progress import Detail

    wanted = click.get_current_context().meta.get(_VERBOSE)
    return Detail.STEPS if wanted else Detail.STAGES


def columns() -> int:
    """Return the columns that lines are broken at: what COLUMNS says, or else what the terminal has.

    A pipe and a file have no end of a line: `kbz health | grep` finds whole sentences.
    """
    if not _asked_columns():
        to_file = click.get_current_context().meta.get(OUTPUT) is not None
        if to_file or not sys.stdout.isatty():
            return UNBROKEN
    return max(LEAST, shutil.get_terminal_size((WIDTH, 24)).columns)


def error_columns() -> int:
    """Return the same for what is told on stderr, which may be a terminal where stdout is none."""
    if asked := _asked_columns():
        return max(LEAST, asked)
    try:
        return max(LEAST, os.get_terminal_size(sys.stderr.fileno()).columns or WIDTH)
    except (OSError, ValueError):  # it is no terminal, or there is none
        return UNBROKEN


def _asked_columns() -> int:
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() else 0


class Seconds(click.FloatRange):
    """A span of time: a number from `min` on that is finite."""

    name = "number of seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return found


WAIT = Seconds(min=0)
"""Waiting may be for no time at all."""
SPAN = Seconds(min=1)
"""Nothing can be done in less than a second."""

"""The forms in which a verb that looks can answer, and the file that the answer may go to."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import click

from keybuzz.model.errors import InputError, KbzError
from keybuzz.model.report import Report
from keybuzz.report.sheet import Sheet, sheet_of

P = ParamSpec("P")
FORMS = ("text", "json", "junit", "prometheus", "nagios")
_OUTPUT = "keybuzz.output"


def report_format(function: Callable[P, int]) -> Callable[P, int]:
    """Give a verb that looks `--format` (its parameter `form`) and `--output`.

    An error that leaves no report is told in the form too: whoever watches must not take it for a verdict.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        form = str(kwargs["form"])
        place = _place()
        if place is not None:
            require_place(place)
        if form not in ("nagios", "prometheus"):
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        except Exception as error:
            code = _say_failure(_known(error), form)
            if form == "nagios":
                return code
            raise

    chosen = click.option(
        "--format",
        "form",
        type=click.Choice(FORMS),
        default="text",
        show_default=True,
        help="All but text: one document on stdout, nothing else there; nagios has exit codes of its own, 0 to 3.",
    )
    output = click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        help="Write there instead of to stdout, in one step: nobody ever reads half of it.",
    )
    return chosen(output(wrapped))


def _keep(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    context.meta[_OUTPUT] = value


def _place() -> Path | None:
    found = click.get_current_context().meta.get(_OUTPUT)
    return found if isinstance(found, Path) else None


def show_report(report: Report, form: str) -> int:
    """Give a report out in its form, and return the exit code."""
    from keybuzz.model.record import report_document
    from keybuzz.report.text import report_text

    return show_answer(
        form,
        text=lambda: report_text(report),
        document=lambda: report_document(report),
        sheet=lambda: sheet_of(report),
    )


def show_answer(
    form: str,
    text: Callable[[], str],
    document: Callable[[], dict[str, Any]],
    sheet: Callable[[], Sheet],
) -> int:
    """Give an answer out in its form, and return the exit code that whoever asked expects."""
    if form == "text":
        give_out(text())
    elif form == "json":
        give_out(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")
    else:
        return show_sheet(sheet(), form)
    return sheet().exit_code


def show_sheet(sheet: Sheet, form: str) -> int:
    """Give a sheet out for a machine that watches, and return the exit code that it expects."""
    if form == "nagios":
        from keybuzz.report.nagios import nagios_line

        line, status = nagios_line(sheet)
        give_out(line + "\n")
        return int(status)
    if form == "junit":
        from keybuzz.report.junit import junit_text

        give_out(junit_text(sheet, time.time()))
    else:
        from keybuzz.report.prometheus import prometheus_text

        give_out(prometheus_text(sheet, time.time()))
    return sheet.exit_code


def _known(error: Exception) -> KbzError:
    if isinstance(error, KbzError):
        return error
    from keybuzz.cli.faults import explain

    return explain(error, Path(click.get_current_context().find_root().obj))


def _say_failure(error: KbzError, form: str) -> int:
    verb = click.get_current_context().command_path.removeprefix("kbz ")
    if form == "prometheus":
        from keybuzz.report.prometheus import prometheus_failure

        give_out(prometheus_failure(verb, int(error.code), time.time()))
        return int(error.code)
    from keybuzz.report.nagios import nagios_failure

    line, status = nagios_failure(verb, str(error))
    give_out(line + "\n")
    return int(status)


def give_out(text: str) -> None:
    """Print a text, or put it into the file that --output names."""
    place = _place()
    if place is None:
        click.echo(text, nl=False)
    else:
        write_whole(place, text)


def require_place(place: Path) -> None:
    """Raise InputError when a file can not be written there: known before any host is asked."""
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            return
    except OSError as error:
        raise _no_place(place, error) from error


def write_whole(path: Path, text: str) -> None:
    """Put a file in place in one step, mode 644: a reader sees the old one or the new one, never half."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    except OSError as error:
        raise _no_place(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _no_place(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _no_place(path: Path, error: OSError) -> InputError:
    return InputError(
        f"nothing can be written there: {error.strerror}",
        where=str(path),
        hint="give FILE in a folder that exists and that this user may write to",
    )

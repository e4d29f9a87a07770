"""The forms in which a verb that looks can answer, and the file that the answer may go to."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from keybuzz.cli.support.common import OUTPUT, columns, form, json_option
from keybuzz.model.core.errors import InputError, KbzError, NothingToDoError
from keybuzz.model.core.visible import json_visible, visible
from keybuzz.model.reports.report import Report
from keybuzz.report.page.sheet import Sheet, sheet_of
from keybuzz.report.screen.fit import fit

P = ParamSpec("P")
R = TypeVar("R")
FORMS = ("text", "json", "junit", "prometheus", "nagios")
"""Of a verb that gives a verdict. One that only tells something has the first two."""
_AT_ONCE = 1000
"""Lines that are printed together."""


def report_format(function: Callable[P, int]) -> Callable[P, int]:
    """Give a verb with a verdict `--format` (its parameter `form`) and `--output`.

    An error that leaves no report is told in the form too: whoever watches must not take it for a verdict.
    """
    return _judging(function, FORMS)


def report_format_or_sarif(function: Callable[P, int]) -> Callable[P, int]:
    """Give the same to a verb whose verdict is about lines of files: `sarif` is one more form."""
    return _judging(function, (*FORMS, "sarif"))


def document_format(function: Callable[P, R]) -> Callable[P, R]:
    """Give a verb that tells something, without a verdict, `--format` (its parameter `form`) and `--output`."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        _require_output()
        return function(*args, **kwargs)

    return _options(wrapped, FORMS[:2], "json: one document on stdout, and nothing else there.")


def _judging(function: Callable[P, int], forms: tuple[str, ...]) -> Callable[P, int]:
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        form = str(kwargs["form"])
        _require_output()
        if form not in ("nagios", "prometheus"):
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        except NothingToDoError:
            raise
        except Exception as error:
            code = _say_failure(_known(error), form)
            if form == "nagios":
                return code
            raise

    text = "All but text: one document on stdout, nothing else there; nagios has exit codes of its own, 0 to 3."
    return _options(wrapped, forms, text)


def _options(function: Callable[P, R], forms: tuple[str, ...], text: str) -> Callable[P, R]:
    chosen = click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default="text",
        show_default=True,
        callback=form,
        help=text,
    )
    output = click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        help="Write to this file instead of to stdout, in one atomic step.",
    )
    return chosen(json_option(output(function)))


def _keep(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    context.meta[OUTPUT] = value


def output_place() -> Path | None:
    """Return what `--output` names; None for stdout."""
    found = click.get_current_context().meta.get(OUTPUT)
    return found if isinstance(found, Path) else None


def _require_output() -> None:
    place = output_place()
    if place is not None:
        require_place(place)


def show_report(report: Report, form: str) -> int:
    """Give a report out in its form, and return the exit code."""
    from keybuzz.model.core.record import report_document
    from keybuzz.report.text.report import report_text

    return show_answer(
        form,
        text=lambda: report_text(report, columns()),
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
    if form not in ("text", "json"):
        return show_sheet(sheet(), form)
    show_document(form, text, document)
    return sheet().exit_code


def show_document(
    form: str, text: Callable[[], str], document: Callable[[], Mapping[str, Any]]
) -> None:
    """Give an answer without a verdict out in its form: the text as wide as the terminal, or the document."""
    show_verbatim(form, lambda: fit(text(), columns()), document)


def show_verbatim(
    form: str, text: Callable[[], str], document: Callable[[], Mapping[str, Any]]
) -> None:
    """Give the same out with the lines of the text as they are: it is a file that may be kept or pasted."""
    give_out(text() if form == "text" else document_text(document()))


def document_text(document: Mapping[str, Any]) -> str:
    """Return a document as the one JSON text that every verb prints."""
    return json_visible(_as_json(document)) + "\n"


def _as_json(document: Mapping[str, Any]) -> str:
    import msgspec  # seven times as fast, and the document of a fleet has a megabyte

    try:
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    except (
        UnicodeEncodeError
    ):  # half a character stands alone in it, which Python's own writer takes
        return json.dumps(document, indent=2, ensure_ascii=False)


def show_sheet(sheet: Sheet, form: str) -> int:
    """Give a sheet out for a machine that watches, and return the exit code that it expects."""
    if form == "nagios":
        from keybuzz.report.machine.nagios import nagios_line

        line, status = nagios_line(sheet)
        give_out(line + "\n")
        return int(status)
    if form == "junit":
        from keybuzz.report.machine.junit import junit_text

        give_out(junit_text(sheet, time.time()))
    else:
        from keybuzz.report.machine.prometheus import prometheus_text

        give_out(prometheus_text(sheet, time.time()))
    return sheet.exit_code


def _known(error: Exception) -> KbzError:
    if isinstance(error, KbzError):
        return error
    from keybuzz.cli.support.faults import explain

    return explain(error, Path(click.get_current_context().find_root().obj))


def _verb(context: click.Context) -> str:
    """Return the verb as reports name it: that of `kbz health look` is `health`."""
    outer = context.parent
    if outer is not None and getattr(outer.command, "default", "") == context.info_name:
        return _verb(outer)
    return context.command_path.removeprefix("kbz ")


def _say_failure(error: KbzError, form: str) -> int:
    verb = _verb(click.get_current_context())
    if form == "prometheus":
        from keybuzz.report.machine.prometheus import prometheus_failure

        give_out(prometheus_failure(verb, int(error.code), time.time()))
        return int(error.code)
    from keybuzz.report.machine.nagios import nagios_failure

    line, status = nagios_failure(verb, str(error))
    give_out(line + "\n")
    return int(status)


def give_out(text: str) -> None:
    """Print a text, or put it into the file that --output names; nothing in it steers a terminal."""
    text = visible(text)
    place = output_place()
    if place is None:
        click.echo(text, nl=False)
    else:
        write_whole(place, text)


def give_out_lines(lines: Iterable[str]) -> None:
    """Print lines, or put them into the file that --output names, as they come; nothing in them steers a terminal."""
    place = output_place()
    if place is not None:
        write_whole(place, "".join(map(visible, lines)))
        return
    waiting: list[str] = []
    for line in lines:
        waiting.append(visible(line))
        if len(waiting) == _AT_ONCE:
            click.echo("".join(waiting), nl=False)
            waiting.clear()
    click.echo("".join(waiting), nl=False)


def require_place(place: Path) -> None:
    """Raise InputError when a file cannot be written there: known before any host is asked."""
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

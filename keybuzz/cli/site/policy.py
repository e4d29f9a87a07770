"""`kbz policy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import columns
from keybuzz.cli.support.offers import application_words, rule_words
from keybuzz.cli.support.output import (
    document_format,
    document_text,
    give_out,
    report_format_or_sarif,
    show_answer,
    show_document,
    show_verbatim,
)

if TYPE_CHECKING:
    from keybuzz.policy.violation import Verdict


@click.group()
def policy() -> None:
    """Rules for the files of applications: configuration, manifests, pipelines, programs."""


_paths = click.argument("paths", nargs=-1, required=True, metavar="PATH...")


@policy.command()
@_paths
@click.option("--strict", is_flag=True, help="Exit 3 also when a file could not be judged.")
@click.option(
    "--changed-since",
    "since",
    metavar="REV",
    help="Report only files that differ from a revision of git; all are judged together.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Report only what FILE does not list: see `kbz policy baseline`.",
)
@click.option(
    "--application",
    default="",
    metavar="NAME",
    shell_complete=application_words,
    help="Hold the files to what inventory/applications.yaml describes for NAME.",
)
@report_format_or_sarif
def check(
    paths: tuple[str, ...],
    strict: bool,
    since: str | None,
    baseline: Path | None,
    application: str,
    form: str,
) -> int:
    """Check files and folders together. Exit 3 when a rule is broken.

    In a folder of git the files are read that git would commit. Needs no root, no server and no credentials.
    """
    from keybuzz.policy.team.baseline import held_against, read_baseline
    from keybuzz.policy.team.changed import changed_since, only

    given = [Path(path) for path in paths]
    known = read_baseline(baseline) if baseline is not None else None
    files = changed_since(since, given, Path.cwd()) if since is not None else None
    verdict = _judged(given, application)
    if files is not None:
        verdict = only(verdict, files)
    if known is not None:
        verdict = held_against(verdict, known)
    return _show(verdict, form, strict=strict)


@policy.command()
@_paths
@document_format
def baseline(paths: tuple[str, ...], form: str) -> None:
    """Print what is wrong today, for `kbz policy check --baseline FILE`. It has no secret in it.

    `--output FILE` keeps it; both formats are the same JSON.
    """
    from keybuzz.policy.team.baseline import baseline_document

    document = baseline_document(_judged([Path(path) for path in paths]).violations)
    show_verbatim(form, text=lambda: document_text(document), document=lambda: document)


@policy.command()
@_paths
@click.option("--write", is_flag=True, help="Change the files; without it only the diff is shown.")
@document_format
def fix(paths: tuple[str, ...], write: bool, form: str) -> None:
    """Correct what has one right answer: an official endpoint, a frozen tag. Prints a diff."""
    from keybuzz.policy.team.fixes import fixes, fixes_document

    verdict = _judged([Path(path) for path in paths])
    texts = {v.path: _read(Path(v.path)) for v in verdict.violations if v.edits}
    found = fixes(verdict.violations, texts)
    for item in found if write else ():
        _replace(Path(item.path), item.after)
    left = sum(not violation.edits for violation in verdict.violations)
    show_verbatim(
        form,
        text=lambda: "".join(item.diff() for item in found),
        document=lambda: fixes_document(found, left, written=write),
    )
    done = "corrected" if write else "can be corrected; --write does it"
    click.echo(f"{len(found)} files {done}; {left} violations need a decision", err=True)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="", errors="surrogateescape") as stream:
        return stream.read()


def _replace(path: Path, text: str) -> None:
    """Replace a file in one step and keep its mode."""
    from keybuzz.cli.support.output import write_whole

    mode = path.stat().st_mode & 0o7777
    write_whole(path, text)
    path.chmod(mode)


def _judged(paths: list[Path], application: str = "") -> Verdict:
    from datetime import UTC, datetime

    from keybuzz.policy.check import check_documents
    from keybuzz.policy.files import read_paths
    from keybuzz.policy.load import load_context
    from keybuzz.policy.needs import require_parsers
    from keybuzz.site.load import read_configuration

    require_parsers()
    given = click.get_current_context().find_root().obj
    configuration = read_configuration(_configuration(given))
    context = load_context(configuration, datetime.now(UTC).date(), application)
    reading = read_paths(paths, Path.cwd())
    return check_documents(reading.documents, context, unread=reading.unread)


@policy.command()
@click.argument("rule_id", metavar="ID", shell_complete=rule_words)
@document_format
def explain(rule_id: str, form: str) -> None:
    """Show why a rule exists, what to write instead, and where it looks."""
    from keybuzz.policy.registry import rule
    from keybuzz.report.text.policy import rule_text, rules_document

    found = rule(rule_id)
    show_document(
        form, text=lambda: rule_text(found, columns()), document=lambda: rules_document([found])
    )


@policy.command()
@document_format
def rules(form: str) -> None:
    """List all rules as the Markdown that docs/policies.md ends with."""
    from keybuzz.policy.registry import rules as all_rules
    from keybuzz.report.text.policy import rules_document, rules_page

    show_verbatim(
        form, text=lambda: rules_page(all_rules()), document=lambda: rules_document(all_rules())
    )


def _configuration(given: str) -> Path:
    """Return nornir_config.yaml: here, or in the clone of kbz whose environment runs this.

    So the repositories of applications need no copy of the inventory.
    """
    here = Path(given)
    clone = Path(sys.prefix).parent / "nornir_config.yaml"
    named = click.get_current_context().find_root().get_parameter_source("config")
    typed = named is not None and named.name != "DEFAULT"
    return clone if not typed and not here.is_file() and clone.is_file() else here


def _show(verdict: Verdict, form: str, *, strict: bool) -> int:
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.policy.registry import rules as all_rules
    from keybuzz.report.page.sheets import sheet_of_policy
    from keybuzz.report.text.policy import verdict_document, verdict_sarif, verdict_text

    refused = verdict.violations or (strict and verdict.unjudged)
    code = ExitCode.REFUSED if refused else ExitCode.GOOD
    if form == "sarif":
        from importlib.metadata import version

        give_out(document_text(verdict_sarif(verdict, all_rules(), version("kbz"))))
        return code
    return show_answer(
        form,
        text=lambda: verdict_text(verdict, all_rules()),
        document=lambda: verdict_document(verdict, all_rules()),
        sheet=lambda: sheet_of_policy(verdict, int(code)),
    )

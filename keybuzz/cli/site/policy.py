"""`kbz policy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.output import (
    document_format,
    document_text,
    give_out,
    report_format_or_sarif,
    show_answer,
    show_document,
)

if TYPE_CHECKING:
    from keybuzz.policy.violation import Verdict


@click.group()
def policy() -> None:
    """Rules for the files of applications: .env, compose, Kubernetes, Dockerfiles, HAProxy, shell, Markdown."""


@policy.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@report_format_or_sarif
def check(paths: tuple[str, ...], form: str) -> int:
    """Judge files and folders together. Exit 3 when a rule is broken.

    In a folder of git the files are read that git would commit. Needs no root, no server and no credentials.
    """
    from datetime import UTC, datetime

    from keybuzz.policy.check import check_documents
    from keybuzz.policy.files import read_paths
    from keybuzz.policy.load import load_context
    from keybuzz.site.load import read_configuration

    given = click.get_current_context().find_root().obj
    context = load_context(read_configuration(_configuration(given)), datetime.now(UTC).date())
    reading = read_paths([Path(path) for path in paths], Path.cwd())
    verdict = check_documents(reading.documents, context, reading.notes)
    return _show(verdict, form)


@policy.command()
@click.argument("rule_id", metavar="ID")
@document_format
def explain(rule_id: str, form: str) -> None:
    """Say why a rule exists, what to write instead, and where it looks."""
    from keybuzz.policy.registry import rule
    from keybuzz.report.text.policy import rule_text, rules_document

    found = rule(rule_id)
    show_document(form, text=lambda: rule_text(found), document=lambda: rules_document([found]))


@policy.command()
@document_format
def rules(form: str) -> None:
    """List all rules as the Markdown that docs/policies.md ends with."""
    from keybuzz.policy.registry import RULES
    from keybuzz.report.text.policy import rules_document, rules_page

    show_document(form, text=lambda: rules_page(RULES), document=lambda: rules_document(RULES))


def _configuration(given: str) -> Path:
    """Return nornir_config.yaml: here, or in the clone of kbz whose environment runs this.

    So the repositories of applications need no copy of the inventory.
    """
    here = Path(given)
    clone = Path(sys.prefix).parent / "nornir_config.yaml"
    named = click.get_current_context().find_root().get_parameter_source("config")
    typed = named is not None and named.name != "DEFAULT"
    return clone if not typed and not here.is_file() and clone.is_file() else here


def _show(verdict: Verdict, form: str) -> int:
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.policy.registry import RULES
    from keybuzz.report.page.sheets import sheet_of_policy
    from keybuzz.report.text.policy import verdict_document, verdict_sarif, verdict_text

    code = ExitCode.REFUSED if verdict.violations else ExitCode.GOOD
    if form == "sarif":
        from importlib.metadata import version

        give_out(document_text(verdict_sarif(verdict, RULES, version("kbz"))))
        return code
    return show_answer(
        form,
        text=lambda: verdict_text(verdict, RULES),
        document=lambda: verdict_document(verdict, RULES),
        sheet=lambda: sheet_of_policy(verdict, int(code)),
    )

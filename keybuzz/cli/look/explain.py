"""`kbz explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import columns
from keybuzz.cli.support.offers import id_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode

if TYPE_CHECKING:
    from keybuzz.report.explain import Explained
    from keybuzz.report.runbooks import Section

_CHECKOUT = Path(__file__).parents[3] / "docs"
DOCS = _CHECKOUT if _CHECKOUT.is_dir() else Path(sys.prefix) / "share/kbz/docs"
"""The pages that ids are explained from: of the checkout, or of the installed wheel."""


@click.command()
@click.argument("name", metavar="[ID]", required=False, shell_complete=id_words)
@document_format
def explain(name: str | None, form: str) -> None:
    """Say what ID means, why it is there, and what to do next.

    ID is a check (base.disk.space), a module, a rule or a requirement (EP-1), an exit code (3),
    or a parameter of site.yaml (base.timezone).
    Without it: every ID there is. Needs no site and asks no host.
    """
    from keybuzz.report.explain import explained_document, explained_text, overview

    known = _everything()
    if name is None:
        show_document(
            form,
            text=lambda: overview(known, columns()),
            document=lambda: explained_document(known),
        )
        return
    found = _named(name.strip(), known)
    show_document(
        form,
        text=lambda: explained_text(name.strip(), found, columns()),
        document=lambda: explained_document(found),
    )


def _everything() -> Explained:
    from keybuzz.engine.catalogue import declared
    from keybuzz.policy.registry import rules
    from keybuzz.report.explain import Explained, requirements

    page = DOCS / "requirements.md"
    known = requirements(page.read_text(encoding="utf-8")) if page.is_file() else {}
    judging = {rule.id: rule for rule in rules()}
    return Explained(sections(), judging, known, tuple(ExitCode), declared())


def _named(word: str, known: Explained) -> Explained:
    """Return what has this id; UsageError with what is near when nothing has it."""
    from keybuzz.report.explain import Explained
    from keybuzz.site.files.problems import nearest

    upper = word.upper()
    if word in known.checks:
        return Explained(checks={word: known.checks[word]})
    if word in known.parameters:
        return Explained(parameters={word: known.parameters[word]})
    if upper in known.requirements or upper in known.rules:
        return Explained(
            rules={name: rule for name, rule in known.rules.items() if name == upper},
            requirements={name: says for name, says in known.requirements.items() if name == upper},
        )
    if word.removeprefix("exit ").isdecimal():
        return Explained(codes=(_code(int(word.removeprefix("exit "))),))
    of_page = {name: section for name, section in known.checks.items() if section.page == word}
    if of_page:
        return Explained(checks=of_page)
    pages = {section.page for section in known.checks.values()}
    near = nearest(
        word, [*known.checks, *known.rules, *known.requirements, *known.parameters, *pages]
    )
    hint = near if near.startswith("did you mean") else "kbz explain lists all ids"
    raise UsageError(f"nothing has the id {word}", hint=hint)


def sections() -> dict[str, Section]:
    """Return what is written about each check: its runbook, or else what its module says of it."""
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.report.runbooks import Section, read_runbooks

    found = read_runbooks(DOCS / "runbooks")
    for module in all_modules():
        for info in getattr(module, "check_infos", ()):
            levels = tuple(level.word for level in sorted(info.levels))
            steps = (info.next_step,)
            made = Section(info.id, levels, info.title, info.meaning, steps, module.name)
            found.setdefault(info.id, made)
    return found


def _code(number: int) -> ExitCode:
    try:
        return ExitCode(number)
    except ValueError:
        codes = ", ".join(str(int(code)) for code in ExitCode)
        raise UsageError(f"kbz never exits with {number}", hint=f"its codes: {codes}") from None


def meanings() -> dict[str, str]:
    """Return what each check means, by id."""
    return {name: section.means for name, section in sections().items()}

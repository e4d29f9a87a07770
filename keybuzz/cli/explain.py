"""`kbz explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.offers import id_words
from keybuzz.model.errors import UsageError
from keybuzz.model.outcome import ExitCode

if TYPE_CHECKING:
    from keybuzz.report.runbooks import Section

DOCS = Path(__file__).parents[2] / "docs"


@click.command()
@click.argument("name", metavar="[ID]", required=False, shell_complete=id_words)
def explain(name: str | None) -> None:
    """Say what ID means, why it is there, and what to do next.

    ID is a check (patroni.leader.single), a module, a rule or a requirement (EP-1), or an exit code (3).
    Without it: every ID there is. Needs no site and asks no host.
    """
    click.echo(_text(name), nl=False)


def _text(name: str | None) -> str:
    from keybuzz.policy.registry import RULES
    from keybuzz.report.explain import (
        code_text,
        overview,
        page_text,
        requirement_text,
        requirements,
        section_text,
    )
    from keybuzz.report.policy import rule_text
    from keybuzz.site.problems import nearest

    checks = sections()
    rules = {rule.id: rule for rule in RULES}
    page = DOCS / "requirements.md"
    known = requirements(page.read_text(encoding="utf-8")) if page.is_file() else {}
    if name is None:
        return overview(checks, rules, known)
    word = name.strip()
    if word in checks:
        return section_text(checks[word])
    if word.upper() in known:
        return requirement_text(word.upper(), known[word.upper()], rules)
    if word.upper() in rules:
        return rule_text(rules[word.upper()])
    if word.removeprefix("exit ").isdecimal():
        return code_text(_code(int(word.removeprefix("exit "))))
    of_page = [section for section in checks.values() if section.page == word]
    if of_page:
        return page_text(f"The checks of {word}", of_page)
    pages = {section.page for section in checks.values()}
    near = nearest(word, [*checks, *rules, *known, *pages])
    hint = near if near.startswith("did you mean") else "kbz explain lists all ids"
    raise UsageError(f"nothing has the id {name}", hint=hint)


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

"""docs/reference is what the code says now, and every link in docs leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keybuzz.cli.look.explain import DOCS, sections
from keybuzz.policy.registry import ids
from keybuzz.report.machine.prometheus import METRICS
from keybuzz.report.runbooks import Section, read_runbooks
from scripts import reference
from tests.unit.support.cli_verbs import verbs

ROOT = DOCS.parent
PAGES = reference.pages()
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(name: str) -> None:
    path = DOCS / "reference" / name
    assert path.read_text(encoding="utf-8") == PAGES[name], (
        "run scripts/docs, and commit what it writes"
    )


def test_there_is_no_page_that_nobody_writes() -> None:
    assert {path.name for path in (DOCS / "reference").iterdir()} == set(PAGES)


def test_every_verb_option_check_rule_and_metric_is_in_it() -> None:
    for words, command in verbs().items():
        assert f"\n## kbz {words}\n" in PAGES["commands.md"]
        for parameter in command.params:
            for option in parameter.opts if not getattr(parameter, "hidden", False) else ():
                assert option.startswith("-") is False or option in PAGES["commands.md"]
    for name in sections():
        assert f"[{name}]" in PAGES["checks.md"]
    for name in ids():
        assert f"[{name}]" in PAGES["rules.md"]
    for metric in METRICS:
        assert f"`{metric.name}`" in PAGES["file-formats.md"]


def test_a_check_without_a_runbook_gets_a_section_in_the_common_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = Section("new.thing", ("warn",), "it is so", "", ("look",), "new")
    monkeypatch.setattr(reference, "sections", lambda: {"new.thing": info})
    (made,) = reference.missing_sections().items()
    assert made[0] == "new.md"
    (tmp_path / "new.md").write_text(f"# Runbook: new\n\n{made[1]}")
    (found,) = read_runbooks(tmp_path).values()
    assert (found.id, found.levels, found.page) == ("new.thing", ("warn",), "new")
    assert (found.means, found.why, found.steps) == ("It is so.", "", ("look.",))


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the local links of a page: the file, and the anchor."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    found = [target for target in _LINK.findall(text) if not target.startswith(("http", "#"))]
    return [((page.parent / t.partition("#")[0]).resolve(), t.partition("#")[2]) for t in found]


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_every_link_leads_to_a_page_and_to_a_heading(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{page}: {target}"
        if anchor:
            heads = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page}: {target}#{anchor}"

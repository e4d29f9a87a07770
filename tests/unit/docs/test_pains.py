"""docs/pains/: every pain of the field names the test that would have caught it, and that test is there."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "pains").glob("[0-9]*.md"))
_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def rows(page: Path) -> list[tuple[str, str, str]]:
    """Return pain, answer and tests of each row of a page's table, without its two head lines."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert cells[0] == ["pain", "what makes it impossible", "test"], page.name
    assert all(len(row) == 3 for row in cells[2:]), [row for row in cells[2:] if len(row) != 3]
    return [(row[0], row[1], row[2]) for row in cells[2:]]


@lru_cache
def names(path: str) -> frozenset[str]:
    """Return the tests of a file, as `test_x` and `TestClass::test_x`."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            inner = (item for item in node.body if isinstance(item, ast.FunctionDef))
            found.update(f"{node.name}::{item.name}" for item in inner)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_pain_has_a_test_that_is_there(page: Path) -> None:
    found = rows(page)
    assert found
    for pain, answer, tests in found:
        assert answer, pain
        named = _TEST.findall(tests)
        assert named, f"{page.name}: no test for: {pain}"
        missing = [f"{path}::{name}" for path, name in named if name not in names(path)]
        assert missing == [], f"{page.name}: {pain}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_not_covered_waits_for_nothing(page: Path) -> None:
    """What a page says of later goes stale: a pain is in the table, or kbz does nothing about it."""
    _, heading, left = page.read_text(encoding="utf-8").partition("\nNot covered")
    assert not heading or left.startswith(", and therefore not in the table:")
    assert re.findall(r"\b(?:yet|so far|comes with|will be|later)\b", left) == []


def test_a_disk_is_told_from_75_percent_on() -> None:
    site = (ROOT / "inventory" / "site.yaml").read_text(encoding="utf-8").splitlines()
    assert {"  health.disk_warn: 75", "  health.disk_critical: 90"} <= set(site)

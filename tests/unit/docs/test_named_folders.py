"""Docs and inventory name only folders that a reader has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for folder in ("docs", "inventory", "scripts")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in (".md", ".yaml", ".tsv", "")
)
ELSEWHERE = re.compile(r"(?<![\w./-])(?:facts|spec|shared)/[\w.-]+|\bdesign\.md\b")
"""Notes that the project was made from, which are not in the repository."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_names_a_note_that_is_not_here(path: Path) -> None:
    assert ELSEWHERE.findall(path.read_text(errors="replace")) == []

"""docs/images.md is what the contracts say now, with a test behind every line."""

from __future__ import annotations

from keybuzz.cli.look.explain import DOCS
from keybuzz.lab.supply.contract import contracts
from scripts import images_page


def test_the_page_is_not_stale() -> None:
    found = (DOCS / "images.md").read_text(encoding="utf-8")
    assert found == images_page.page(), "run scripts/docs, and commit what it writes"


def test_every_line_of_every_contract_is_a_row_with_a_source_and_a_test() -> None:
    rows = [line.split(" | ") for line in images_page.page().splitlines() if "::test_" in line]
    assert len(rows) == sum(len(contract.lines) for contract in contracts())
    assert all(len(row) == 3 and row[1].strip() for row in rows)

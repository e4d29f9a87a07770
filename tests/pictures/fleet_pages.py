"""The page of `kbz report` for each fleet that is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keybuzz.engine.memory.journal import Journal
from keybuzz.model.core.record import report_document
from keybuzz.report.page.page import Facts, page_text
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.pictures.catalogue import DOCS, PAGES
from tests.unit.screens.test_screens import FLEETS
from tests.unit.support.page_values import facts, past, remembered


def written_pages(folder: Path) -> dict[str, Path]:
    """Write the page of each fleet into a folder."""
    site = load_inventory_site(read_configuration(DOCS.parent / "nornir_config.yaml"))
    trouble = facts(site, remembered(folder / "journal.sqlite"))
    files = {fleet: folder / f"{fleet}.html" for fleet in PAGES}
    for fleet, path in files.items():
        known = trouble if fleet == "trouble" else _of_fleet(trouble, fleet, folder)
        path.write_text(page_text(known), encoding="utf-8")
    return files


def _of_fleet(page: Facts, fleet: str, folder: Path) -> Facts:
    """Return the page of a fleet that was never looked at before."""
    empty = folder / f"{fleet}.sqlite"
    Journal(empty)
    return replace(page, health=report_document(FLEETS[fleet].health), past=past(empty))

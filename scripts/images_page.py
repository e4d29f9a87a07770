"""docs/images.md, written from the contracts that lie next to the stand-ins: every line, its source, its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from keybuzz.cli.look.explain import DOCS
from keybuzz.lab.supply.contract import Contract, Line, contracts
from keybuzz.lab.supply.stand_ins import stand_ins
from keybuzz.site.versions import parse_versions

ROOT = DOCS.parent
_LONGEST = 160
"""Characters of one cell before it is cut; the contract has the whole."""
_HEAD = Path(__file__).with_suffix(".head.md")
"""What stands above the tables."""


def page() -> str:
    """Return the whole page."""
    return (
        "\n".join(
            ["<!-- Written by scripts/docs. Do not edit: run it. -->", "", *_lines()]
        ).rstrip()
        + "\n"
    )


def _lines() -> Iterator[str]:
    yield _HEAD.read_text(encoding="utf-8")
    path = ROOT / "inventory" / "versions.yaml"
    versions = parse_versions(path.read_bytes(), "versions.yaml")
    provenance = {stand_in.recipe: stand_in.provenance for stand_in in stand_ins()}
    for contract in contracts():
        version = versions.get(contract.image)
        yield f"## {version.reference if version else contract.image}"
        yield ""
        stand_in = provenance.get(contract.recipe, "a program of kbz in Python")
        yield f"In the lab: {stand_in}. Contract: `{contract.path.relative_to(ROOT)}`."
        yield ""
        yield from _table(contract)
        yield ""


def _table(contract: Contract) -> Iterator[str]:
    yield "| line | source | held by |"
    yield "|---|---|---|"
    for line in contract.lines:
        tests = "<br>".join(f"`{_short(test)}`" for test in line.tests)
        yield f"| {_cell(line)} | {line.source} | {tests} |"


def _cell(line: Line) -> str:
    text = line.text if len(line.text) <= _LONGEST else f"{line.text[:_LONGEST]}…"
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _short(test: str) -> str:
    path, _, name = test.partition("::")
    return f"{path.removeprefix('tests/')}::{name}"

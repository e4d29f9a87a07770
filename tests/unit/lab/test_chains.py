"""Files of the lab ring that share a lab: one table says so, for the scheduler and for whoever takes the lab down."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import CHAINS, chain_of

LABS = Path(__file__).resolve().parents[2] / "lab"
ASKS = re.compile(r"\((\w+_lab): Kbz\)")


def test_each_file_is_there_and_in_one_place() -> None:
    names = [name for chain in CHAINS for name in chain]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not list(LABS.rglob(f"{name}.py"))] == []


def test_files_that_ask_for_the_same_lab_are_one_chain() -> None:
    """On two workers they would take each other's lab down."""
    chains: dict[str, set[str]] = {}
    for path in LABS.rglob("test_*.py"):
        for lab in ASKS.findall(path.read_text()):
            chains.setdefault(lab, set()).add(chain_of(f"tests/lab/{path.name}::test"))
    assert chains
    assert {lab: found for lab, found in chains.items() if len(found) != 1} == {}

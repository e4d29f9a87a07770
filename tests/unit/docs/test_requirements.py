"""docs/requirements.md: every requirement has its file and its proof, and both are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.test_pains import names

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "requirements.md"
FAMILIES = {
    "CARD": 9,
    "ORD": 2,
    "PG": 4,
    "RED": 5,
    "RMQ": 3,
    "MIN": 6,
    "GAL": 4,
    "PSQL": 1,
    "K3S": 3,
    "LB": 3,
    "FRZ": 1,
    "VER": 2,
    "EP": 1,
    "SEC": 3,
    "INV": 1,
}
"""The owner's requirements: each family's ids count from 1."""
IDS = [f"{family}-{number + 1}" for family, count in FAMILIES.items() for number in range(count)]
NAMED_PACKAGES = (
    "nornir",
    "nornir_utils",
    "nornir_jinja2",
    "nornir_netmiko",
    "ruamel.yaml",
    "click",
    "pytest",
    "hypothesis",
)
_PATH = re.compile(r"`([\w/.-]+\.\w+)(?:::([\w:]+))?`")
_ID = re.compile(rf"\b(?:{'|'.join(FAMILIES)})-\d+\b")


def rows() -> dict[str, tuple[str, str]]:
    """Return, by id, what does it and what proves it."""
    found: dict[str, tuple[str, str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and _ID.fullmatch(cells[0]):
            assert len(cells) == 4, line
            assert cells[0] not in found, f"{cells[0]} stands twice"
            found[cells[0]] = (cells[2], cells[3])
    return found


def test_every_requirement_stands_there_once_and_no_other() -> None:
    assert sorted(rows()) == sorted(IDS)


@pytest.mark.parametrize("requirement", IDS)
def test_what_does_it_and_what_proves_it_are_there(requirement: str) -> None:
    done_by, proven_by = rows()[requirement]
    doers = _PATH.findall(done_by)
    assert doers, f"{requirement}: nothing does it"
    assert [path for path, _ in doers if not (ROOT / path).is_file()] == []
    proofs = _PATH.findall(proven_by)
    assert proofs, f"{requirement}: nothing proves it"
    for path, name in proofs:
        assert path.startswith("tests/"), path
        assert name in names(path), f"{path}::{name}"


def test_code_names_no_requirement_that_is_none() -> None:
    files = [*ROOT.glob("keybuzz/**/*.py"), *ROOT.glob("tasks/**/*.py")]
    named = {found for path in files for found in _ID.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert named - set(IDS) == set()


OF_TESTS = ("pytest", "hypothesis")


@pytest.mark.parametrize("package", NAMED_PACKAGES)
def test_each_named_package_is_imported_by_the_product(package: str) -> None:
    """CARD-9: a page of the docs is no use of a package, nor is a test of one that is not for tests."""
    rooms = ("tests",) if package in OF_TESTS else ("keybuzz", "tasks")
    pattern = re.compile(rf"^\s*(from|import) {re.escape(package)}\b", re.MULTILINE)
    files = (path for room in rooms for path in ROOT.glob(f"{room}/**/*.py"))
    used = [path for path in files if pattern.search(path.read_text(encoding="utf-8"))]
    assert used, f"CARD-9: {package} is in no real use"

"""docs/states.md: each bad state has a verdict, and names tests that are there; its check ids are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from tests.lab.support.faults_seen import ROUNDS
from tests.unit.docs.test_pains import names

PAGE = Path(__file__).parents[3] / "docs" / "states.md"
HEAD = [
    "id",
    "service",
    "state, and how it is made",
    "health, status, drift, recover",
    "run, restart, drill",
    "way out",
    "tests",
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
_CHECK = re.compile(
    r"`((?:base|patroni|redis|redis-proxy|postgres-proxy|rabbitmq|galera)\.[a-z.-]+)`"
)
IDS = {info.id for module in all_modules() for info in module.check_infos}


def rows() -> list[list[str]]:
    """Return the cells of each row, without the two head lines."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert cells[0] == HEAD
    return cells[2:]


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_whole_and_its_tests_are_there(row: list[str]) -> None:
    assert len(row) == len(HEAD)
    assert all(row), row[0]
    named = _TEST.findall(row[-1])
    assert named, f"{row[0]}: no test"
    assert [f"{path}::{name}" for path, name in named if name not in names(path)] == []


def test_ids_are_unique() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_the_checks_that_it_names_are_checks() -> None:
    told = {name for row in ROWS for name in _CHECK.findall(" ".join(row[:-1]))}
    assert len(told) > 15
    assert told <= IDS


def test_every_planted_fault_of_the_lab_is_a_row() -> None:
    told = {row[2] for row in ROWS}
    assert {fault.name for faults in ROUNDS.values() for fault in faults} <= told

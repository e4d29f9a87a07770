"""docs/states.md: each bad state has a verdict, and names tests that are there; its check ids are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from tests.lab.fleet import bad_states
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
INFOS = {info.id: info for module in all_modules() for info in module.check_infos}
_AREAS = sorted({info.partition(".")[0] for info in INFOS}, key=len, reverse=True)
_CHECK = re.compile(rf"`((?:{'|'.join(map(re.escape, _AREAS))})\.[a-z.-]+)`")


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
    assert told <= INFOS.keys()


_REFUSES = re.compile(r"\brefuse restarts|\brestarts?\b[^;]* refuses?\b")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_state_that_refuses_restarts_is_of_a_check_that_does(row: list[str]) -> None:
    """A check whose way out is a restart lets it go on, so that its row may not say otherwise."""
    told = [INFOS[name] for name in _CHECK.findall(row[3])]
    if _REFUSES.search(row[4]):
        assert not any(info.restart for info in told)
        assert not told or any(info.gates for info in told)


def test_every_planted_fault_of_the_lab_is_a_row() -> None:
    told = {row[2] for row in ROWS}
    assert {fault.name for faults in ROUNDS.values() for fault in faults} <= told


MADE = {bad.id: bad for states in bad_states.ROUNDS.values() for bad in states}
LAB = Path(__file__).parents[3] / "tests" / "lab"
TOGETHER = "tests/lab/fleet/test_bad_states.py::test_each_is_told_and_its_daemon_agrees"
_METHODS = re.compile(r"^class TestBadStates:$(.*?)(?=^\S|\Z)", re.M | re.S)


def test_a_state_that_is_made_together_with_others_is_a_row_and_the_row_says_so() -> None:
    saying = {row[0] for row in ROWS if TOGETHER in row[-1]}
    assert saying == MADE.keys()
    assert len(MADE) == sum(map(len, bad_states.ROUNDS.values())), "an id for each"


@pytest.mark.parametrize("bad", MADE.values(), ids=MADE)
def test_what_the_lab_expects_of_it_is_what_the_row_says(bad: bad_states.Bad) -> None:
    [row] = [row for row in ROWS if row[0] == bad.id]
    if bad.health is not None:
        assert f"`{bad.health[0]}`" in row[3]
        assert bad.health[1] in row[3]
    assert bad.says, "its daemon's own tool is asked"
    assert bad.health is not None or bad.drift, "kbz tells it"


@pytest.mark.parametrize("bad", MADE.values(), ids=MADE)
def test_a_way_out_by_a_verb_is_tried_elsewhere(bad: bad_states.Bad) -> None:
    """There each state is taken back on its host; a verb that is the way out is held by another test of the row."""
    [row] = [row for row in ROWS if row[0] == bad.id]
    if row[5].startswith("`kbz "):
        assert len(_TEST.findall(row[-1])) > 1


def test_every_test_of_a_bad_state_in_the_lab_is_named_by_a_row() -> None:
    named = {f"{path}::{name}" for row in ROWS for path, name in _TEST.findall(row[-1])}
    found = {
        f"tests/lab/services/{path.name}::TestBadStates::{name}"
        for path in (LAB / "services").glob("test_*.py")
        for body in _METHODS.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"^    def (test_\w+)", body, re.M)
    }
    assert len(found) > 10
    assert found - named == set()

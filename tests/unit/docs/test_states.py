"""docs/states.md: each bad state has a verdict, and names tests that are there; its check ids are real."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from tests.lab.fleet import bad_states
from tests.lab.support.faults_seen import ROUNDS
from tests.support.states_table import WORDS, Row, rows
from tests.unit.docs.test_pains import names

_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
INFOS = {info.id: info for module in all_modules() for info in module.check_infos}
_AREAS = sorted({info.partition(".")[0] for info in INFOS}, key=len, reverse=True)
_LEVEL = re.compile(r"`([a-z-]+\.[a-z.-]+)`(?: and `[a-z-]+\.[a-z.-]+`)?:? (critical|warn|unknown)")
_CHECK = re.compile(rf"`((?:{'|'.join(map(re.escape, _AREAS))})\.[a-z.-]+)`")


ROWS = rows()
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])


@every_row
def test_a_row_is_whole_and_its_tests_are_there(row: Row) -> None:
    assert all(getattr(row, name) for name in row.__slots__), row.id
    named = _TEST.findall(row.tests)
    assert named, f"{row.id}: no test"
    assert [f"{path}::{name}" for path, name in named if name not in names(path)] == []


@every_row
@pytest.mark.parametrize("column", WORDS)
def test_a_verdict_begins_with_one_of_the_words_of_its_column(row: Row, column: str) -> None:
    assert row.word(column)


def test_ids_are_unique() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


def test_the_checks_that_it_names_are_checks() -> None:
    told = {name for row in ROWS for name in _CHECK.findall(f"{row.made}{row.health}{row.drift}")}
    assert len(told) > 40
    assert told <= INFOS.keys()


@every_row
def test_what_a_check_does_to_restarts_and_drills_is_what_its_row_says(row: Row) -> None:
    """The verdict of a row follows from what its checks forbid, wherever nothing else does."""
    told = [
        (INFOS[name], level)
        for name, level in _LEVEL.findall(row.health)
        if not name.startswith("base.")
    ]
    stops = [info for info, level in told if level != "warn"]
    if (
        not told
        or row.health.startswith("—")
        or row.id in OTHERWISE
        or "--deep" in row.health
        or ", 0 up" in row.status
    ):
        return  # with no member up there is nothing to restart
    drills = "refuses" if stops else "goes on"
    assert row.word("drill") in (drills, "—")
    held = [info for info in stops if not info.restart]
    word = "goes on"
    if held:
        certain = any(info.stands or info.lasting for info, level in told if level == "critical")
        word = "refuses at once" if certain else "refuses"
    assert row.word("restart") == word


def test_every_planted_fault_of_the_lab_is_a_row() -> None:
    told = {row.made for row in ROWS}
    assert {fault.name for faults in ROUNDS.values() for fault in faults} <= told


OTHERWISE = {
    "S-05": "the member that takes writes without the lead is restarted",
    "S-20": "the member that is apart is restarted",
    "K-69": "the entry that is apart is restarted",
    "K-72": "the member that is apart is restarted",
    "K-73": "the member that is apart is restarted",
    "K-74": "the member that is apart is restarted",
    "K-37": "what does not run is not restarted",
    "K-38": "what does not run is not restarted",
    "K-39": "what does not run is not restarted",
    "K-41": "what does not run is not restarted",
    "K-42": "what does not run is not restarted",
}
MADE = {bad.id: bad for states in bad_states.ROUNDS.values() for bad in states}
LAB = Path(__file__).parents[3] / "tests" / "lab"
TOGETHER = "tests/lab/fleet/test_bad_states.py::test_each_is_told_and_its_daemon_agrees"
_METHODS = re.compile(r"^class TestBadStates:$(.*?)(?=^\S|\Z)", re.M | re.S)


def test_a_state_that_is_made_together_with_others_is_a_row_and_the_row_says_so() -> None:
    saying = {row.id for row in ROWS if TOGETHER in row.tests}
    assert saying == MADE.keys()
    assert len(MADE) == sum(map(len, bad_states.ROUNDS.values())), "an id for each"


@pytest.mark.parametrize("bad", MADE.values(), ids=MADE)
def test_what_the_lab_expects_of_it_is_what_the_row_says(bad: bad_states.Bad) -> None:
    [row] = [row for row in ROWS if row.id == bad.id]
    if bad.health is not None:
        assert f"`{bad.health[0]}`" in row.health
        assert bad.health[1] in row.health
    if bad.drift:
        identity = re.sub(r"^(?:[a-z]+-\d\d|rabbitmq|galera)/", "", bad.drift)
        assert identity in row.drift
    assert (row.word("run") == "refuses") == (bad.refuses is not None)
    assert bad.says, "its daemon's own tool is asked"
    assert bad.health is not None or bad.drift, "kbz tells it"


@pytest.mark.parametrize("bad", MADE.values(), ids=MADE)
def test_a_way_out_by_a_verb_is_tried(bad: bad_states.Bad) -> None:
    """There, or by another test of the row: others are taken back on their host."""
    [row] = [row for row in ROWS if row.id == bad.id]
    if row.way_out.startswith("`kbz ") and not bad.undo.startswith("kbz "):
        assert len(_TEST.findall(row.tests)) > 1


_TOOL = re.compile(r"\b(?:agrees|says)\(|bad\.says")
_ENGINE = "`kbz recover` shows the word of each engine (--wsrep-recover), which the test reads"
OTHER_WORDS = {
    **dict.fromkeys(("S-33", "K-07", "K-08", "K-09", "K-10", "K-11", "K-12", "K-83"), _ENGINE),
    **dict.fromkeys(("S-37", "K-13"), "SHOW STATUS of each node, asked while it is made"),
    **dict.fromkeys(("P-3", "P-6"), "a moment after a change, and no state that stays"),
    **dict.fromkeys(("S-50", "S-51"), "the controller's own journal"),
    "S-20": "rabbitmqctl cluster_status, asked while it is made",
    "P-5": "a writer through ProxySQL, and the layers that drift reads",
    "P-8": "300 sessions of a client",
    "S-46": "fail2ban itself bans, or does not",
    "K-44": "the network is cut: nothing of it can be asked",
    "K-81": "the container's own image and start time",
    "K-82": "redis-cli with the store's password: WRONGPASS",
    "K-84": "SENTINEL names the master, and the data is read",
    "K-93": "a mark of kbz",
    "K-94": "ls hangs",
    "K-95": "a port that says nothing",
}
"""Rows whose lab test asks in other words than `agrees`."""


@every_row
def test_the_own_tool_of_what_is_at_fault_agrees(row: Row) -> None:
    sources = [
        _source(path, name)
        for path, name in _TEST.findall(row.tests)
        if path.startswith("tests/lab/")
    ]
    assert any(map(_TOOL.search, sources)) != (row.id in OTHER_WORDS), row.id


def _source(path: str, name: str) -> str:
    """Return the text of a test of a file, by its name with that of its class."""
    text = (LAB.parents[1] / path).read_text(encoding="utf-8")
    body: ast.AST = ast.parse(text)
    for part in name.split("::"):
        body = next(
            node for node in ast.iter_child_nodes(body) if getattr(node, "name", "") == part
        )
    return ast.get_source_segment(text, body) or ""


def test_every_test_of_a_bad_state_in_the_lab_is_named_by_a_row() -> None:
    named = {f"{path}::{name}" for row in ROWS for path, name in _TEST.findall(row.tests)}
    found = {
        f"tests/lab/{path.relative_to(LAB)}::TestBadStates::{name}"
        for path in LAB.rglob("test_*.py")
        for body in _METHODS.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"^    def (test_\w+)", body, re.M)
    }
    assert len(found) > 10
    assert found - named == set()

"""docs/mutants.md: its numbers agree with each other, its files and tests are there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.mutants.page import page
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([\w/]+\.py)` \| (\d+) \| (\d+) \| ([\d.]+) % \| (\d+) of (\d+) \|$", re.M)
_SURVIVOR = re.compile(r"^\| `([\w/]+\.py):(\d+)` \| (.*) \| ([^|`]+) \|$", re.M)


def test_every_file_and_each_of_its_tests_is_there() -> None:
    for target, tests in TARGETS.items():
        assert [name for name in (target, *tests) if not (ROOT / name).is_file()] == []


def test_every_rollout_recovery_and_guard_is_among_them() -> None:
    places = ("tasks/*/rollout.py", "tasks/**/recover*/*.py", "tasks/**/recover*.py")
    engine = ("engine/**/guard.py", "engine/**/recover*.py", "engine/**/freeze.py")
    globs = [*places, *(f"keybuzz/{place}" for place in engine)]
    files = {file for glob in globs for file in ROOT.glob(glob) if file.name != "__init__.py"}
    assert {str(file.relative_to(ROOT)) for file in files} <= TARGETS.keys()


def test_the_numbers_of_a_file_agree_with_its_survivors() -> None:
    rows = _ROW.findall(PAGE)
    left = Counter(found[0] for found in _SURVIVOR.findall(PAGE))
    told = Counter(found[0] for found in _SURVIVOR.findall(PAGE) if found[3] != "not judged yet")
    assert len(rows) > 2
    for target, mutants, killed, share, explained, survivors in rows:
        assert target in TARGETS
        assert int(mutants) - int(killed) == int(survivors) == left[target]
        assert int(explained) == told[target]
        assert f"{100 * int(killed) / int(mutants):.1f}" == share


def test_a_file_is_in_the_table_or_named_as_not_run() -> None:
    rows = {row[0] for row in _ROW.findall(PAGE)}
    waiting = PAGE.partition("Not run to its end yet:")[2].partition("\n")[0]
    assert {name for name in TARGETS if f"`{name}`" in waiting} == TARGETS.keys() - rows


def test_files_that_were_not_run_stay_as_they_were() -> None:
    assert page({}, PAGE) == PAGE
    mutant = {"end": "survived", "line": 7, "was": "a", "now": "b"}
    changed = page({"tasks/galera/recover/choice.py": [mutant, {**mutant, "end": "killed"}]}, PAGE)
    assert "| `tasks/galera/recover/choice.py` | 2 | 1 | 50.0 % | 0 of 1 |" in changed
    assert "| `tasks/galera/recover/choice.py:7` | `a` | `b` | not judged yet |" in changed
    others = [line for line in PAGE.splitlines() if "recover/choice.py" not in line]
    assert set(others) - set(changed.splitlines()) <= {
        line for line in others if "together" in line
    }

"""Cases as data: small folders of files, each with the exact set of what is wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from keybuzz.policy.registry import ids
from tests.unit.support.policy_values import judged

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "data" / "policy" / "corpus"
SHARED = ROOT.parent / "shared" / "cases" / "policy.yaml"
"""Next to a checkout of CI; elsewhere it may be absent."""


class Case(NamedTuple):
    """A folder of files and what must be said of it."""

    name: str
    files: dict[str, str]
    expect: frozenset[str]
    unjudged: frozenset[str]


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file."""
    return [
        Case(
            f"{path.stem}/{c['name']}",
            c["files"],
            frozenset(c["expect"]),
            frozenset(c.get("unjudged", ())),
        )
        for c in YAML(typ="safe").load(path)
    ]


CASES = [case for path in sorted(CORPUS.glob("*.yaml")) for case in read_cases(path)]


def _id(case: Case) -> str:
    return case.name


def check(case: Case) -> None:
    """Assert that a case is judged as it says: nothing missing, nothing too much."""
    verdict = judged(case.files)
    found = {f"{item.path}:{item.line} {item.rule}" for item in verdict.violations}
    assert found == set(case.expect)
    assert case.unjudged <= {item.path for item in verdict.unjudged}


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_case_is_judged_as_it_says(case: Case) -> None:
    check(case)


def test_the_given_cases_are_judged_as_they_say() -> None:
    if not SHARED.is_file():
        pytest.skip("there are no given cases next to this checkout")
    given = read_cases(SHARED)
    assert len(given) >= 20
    for case in given:
        files = {path: text for path, text in case.files.items() if "\0" not in text}
        check(case._replace(files=files, unjudged=case.unjudged & set(files)))


def test_the_corpus_is_long_and_has_right_and_wrong_twins_of_every_rule() -> None:
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len(CASES)
    assert sum(not case.expect for case in CASES) >= 45
    found = {line.rpartition(" ")[2] for case in CASES for line in case.expect}
    assert found == set(ids()) - {"KBZ-3"}

"""Configurations of real applications: right as an operator fills them, and with the mistakes that people make."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from tests.unit.support.policy_values import judged

FOLDER = Path(__file__).parents[2] / "data" / "policy" / "applications"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


class Mistake(NamedTuple):
    """A text of one file that is replaced, and the rule that must say so; more than one in words with blanks."""

    path: str
    old: str
    new: str
    rules: str


def read(name: str) -> tuple[dict[str, str], list[Mistake]]:
    """Return the files of an application, and what is done wrong with them."""
    return read_file(FOLDER / f"{name}.yaml")


def read_file(path: Path) -> tuple[dict[str, str], list[Mistake]]:
    """Return the files of a case, and its mistakes."""
    found = YAML(typ="safe").load(path)
    return found["files"], [Mistake(*item) for item in found["mistakes"]]


MISTAKES = [(name, mistake) for name in NAMES for mistake in read(name)[1]]
REPOSITORIES = sorted((FOLDER.parent / "repositories").glob("*.yaml"))
WRONG = [(path.stem, mistake) for path in REPOSITORIES for mistake in read_file(path)[1]]
NOT_JUDGED = {"helm/templates/deployment.yaml", "prisma/schema.prisma", "deploy.ps1"}
"""Files in them that have no reader, and a template."""


@pytest.mark.parametrize("name", NAMES)
def test_a_right_configuration_raises_no_alarm(name: str) -> None:
    verdict = judged(read(name)[0])
    assert verdict.violations == ()
    assert verdict.unjudged == ()


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=str)
def test_a_mistake_is_found_and_nothing_else(name: str, mistake: Mistake) -> None:
    files = read(name)[0]
    assert mistake.old in files[mistake.path]
    files[mistake.path] = files[mistake.path].replace(mistake.old, mistake.new, 1)
    assert {item.rule for item in judged(files).violations} == set(mistake.rules.split())


def test_there_are_twenty_applications_with_eight_mistakes_each() -> None:
    assert len(NAMES) == 20
    assert all(len(read(name)[1]) == 8 for name in NAMES)


@pytest.mark.parametrize("path", REPOSITORIES, ids=lambda path: path.stem)
def test_a_repository_of_other_kinds_of_files_raises_no_alarm(path: Path) -> None:
    verdict = judged(read_file(path)[0])
    assert verdict.violations == ()
    assert {item.path for item in verdict.unjudged} <= NOT_JUDGED


@pytest.mark.parametrize(("name", "mistake"), WRONG, ids=str)
def test_a_mistake_in_it_is_found_and_nothing_else(name: str, mistake: Mistake) -> None:
    files = read_file(FOLDER.parent / "repositories" / f"{name}.yaml")[0]
    text = files[mistake.path]
    assert mistake.old in text
    files = {**files, mistake.path: text.replace(mistake.old, mistake.new, 1)}
    assert {item.rule for item in judged(files).violations} == set(mistake.rules.split())

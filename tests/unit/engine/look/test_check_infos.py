"""The registry of check ids: every id that a check can say is in it, and it names no id that is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.finding import CheckInfo, Level
from keybuzz.report.check_list import check_table
from keybuzz.site.module import Module
from tests.unit.support.check_ids import MAKERS

TASKS = Path(__file__).resolve().parents[4] / "tasks"
MODULES = {module.name: module for module in all_modules()}
INFOS = {info.id: info for module in MODULES.values() for info in module.check_infos}

_SAYERS = (
    *(*MAKERS, "_none", "_silent", "_full", "_same", "_same_of_each_system"),
    *("_age_of", "_verified_of", "_restored_of"),
)
"""What makes a finding, with the id as its first argument."""


def said(module: Module) -> set[str]:
    """Ids in the code of a module: what `Finding` gets first, and what a variable named `check` holds."""
    folder = TASKS / module.name.replace("-", "_")
    found: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            found |= {text for text in _ids(node) if text.startswith(f"{module.name}.")}
    return found


def _ids(node: ast.AST) -> Iterator[str]:
    called = node if isinstance(node, ast.Call) and node.args else None
    if called and isinstance(called.func, ast.Name) and called.func.id in _SAYERS:
        yield from _text(called.args[0])
    if isinstance(node, ast.Assign):
        yield from _assigned(node.targets[0], node.value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name) and target.id == "check":
        yield from _text(value)
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its)


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_every_id_of_a_module_is_explained_and_nothing_else(module: Module) -> None:
    probed = {f"{module.name}.probe"} if module.probe else set()
    assert said(module) | probed == {info.id for info in module.check_infos}


@pytest.mark.parametrize("info", INFOS.values(), ids=INFOS)
def test_an_explanation_is_whole(info: CheckInfo) -> None:
    assert info.title
    assert info.meaning.endswith(".")
    assert info.next_step
    assert info.levels
    assert Level.OK not in info.levels
    assert {*info.follows_here, *info.follows, *info.read_by} <= set(INFOS) - {info.id}
    assert Level.UNKNOWN in info.levels or not info.read_by


def test_no_check_follows_from_itself_over_others() -> None:
    def causes(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"{' <- '.join((*seen, name))}: two checks explain each other"
        for cause in (*INFOS[name].follows_here, *INFOS[name].follows):
            causes(cause, (*seen, name))

    for name in INFOS:
        causes(name, ())


def test_what_cannot_be_read_is_followed_to_an_end() -> None:
    """`read_by` explains an unknown only, and no verdict follows from what is unknown for it."""

    def causes(name: str, unknown: bool, seen: tuple[tuple[str, bool], ...]) -> None:
        assert (name, unknown) not in seen, f"{seen}: checks explain each other"
        info = INFOS[name]
        for cause in (*info.follows_here, *info.follows, *(info.read_by if unknown else ())):
            other = INFOS[cause]
            if other.levels != (Level.UNKNOWN,):
                causes(cause, False, (*seen, (name, unknown)))
            if Level.UNKNOWN in other.levels and (unknown or not other.read_by):
                causes(cause, True, (*seen, (name, unknown)))

    for name in INFOS:
        causes(name, True, ())


def test_the_page_has_every_check_as_the_code_has_it() -> None:
    page = (TASKS.parent / "docs" / "health.md").read_text()
    begin, end = "<!-- checks -->\n", "\n<!-- end of checks -->"
    table = page[page.index(begin) + len(begin) : page.index(end)]
    assert table == check_table(INFOS.values())

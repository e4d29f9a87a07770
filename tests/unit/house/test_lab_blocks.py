"""What a block of the lab ring changes is taken back also when the test in it fails: the next test has the same lab."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

LABS = Path(__file__).parents[2] / "lab"


def undone_late(source: str) -> Iterator[str]:
    """Yield the context managers in which something follows a bare `yield`: after an exception it does not run."""
    for function in ast.walk(ast.parse(source)):
        if (
            isinstance(function, ast.FunctionDef)
            and _is_block(function)
            and _goes_on(function.body)
        ):
            yield function.name


def _is_block(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(one).endswith("contextmanager") for one in function.decorator_list)


def _goes_on(body: Sequence[ast.stmt]) -> bool:
    for place, statement in enumerate(body):
        last = place == len(body) - 1
        match statement:
            case ast.Expr(value=ast.Yield()):
                if not last:
                    return True
            case ast.With():
                if _goes_on(statement.body) or (_yields(statement) and not last):
                    return True
            case ast.If() | ast.For() | ast.While():
                if _goes_on(statement.body) or _goes_on(statement.orelse):
                    return True
    return False


def _yields(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Yield) for node in ast.walk(statement))


def test_a_block_takes_back_what_it_changed_however_it_ends() -> None:
    found = {
        f"{path.relative_to(LABS)}: {name}"
        for path in LABS.rglob("*.py")
        for name in undone_late(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    ("body", "late"),
    [
        ("make()\n yield\n undo()", True),
        ("with other():\n  yield\n undo()", True),
        ("with other():\n  yield\n  undo()", True),
        ("try:\n  yield\n finally:\n  undo()", False),
        ("with other():\n  yield 5", False),
    ],
)
def test_it_tells_one_from_the_other(body: str, late: bool) -> None:
    source = f"@contextmanager\ndef block():\n {body}\n"
    assert list(undone_late(source)) == (["block"] if late else [])

"""Tests signal their own process by its main thread: another thread takes the signal later, in another test."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[2]


def to_itself(source: str) -> list[int]:
    """Return the lines of `os.kill(os.getpid(), …)` with anything but KILL, which no handler takes."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("kill")
        and node.args
        and ast.unparse(node.args[0]) in ("os.getpid()", "getpid()")
        and not ast.unparse(node.args[1]).endswith("SIGKILL")
    ]


def test_the_search_finds_one() -> None:
    assert to_itself("import os\nos.kill(os.getpid(), 2)\nos.kill(os.getpid(), SIGKILL)\n") == [2]


def test_no_test_signals_any_thread_that_takes_it() -> None:
    found = {
        str(path.relative_to(TESTS)): lines
        for path in sorted(TESTS.rglob("*.py"))
        if (lines := to_itself(path.read_text(encoding="utf-8")))
    }
    assert found == {}

"""One pytest session for all mutants of a file: collected once, then a fork for each mutant.

The fork gives the functions of the file their mutated code, runs the tests that pass through the changed lines, and
ends at the first that fails. What is no function (a constant, a default, a decorator) is left to `whole` of `main.py`.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

PASSED, FAILED, NOT_SO = 0, 1, 2
"""How a fork ends: all tests passed, one failed, or the mutant is in no function."""


class Mutants:
    """Takes the place of pytest's loop over the tests."""

    def __init__(self, target: Path, mutants: list[dict[str, Any]], told: Path) -> None:
        self.target = target
        self.mutants = mutants
        self.told = told
        self.lines: dict[str, set[int]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_collection(self) -> None:
        """Let Hypothesis find the same examples each time, and stop at the first that fails: none is made smaller."""
        from hypothesis import (
            Phase,
            settings,
        )  # pytest has to load it first: it rewrites its asserts

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", settings(), phases=phases, derandomize=True)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn which test passes through which line, then try each mutant."""
        items = {item.nodeid: item for item in session.items}
        self._learn(items)
        functions = functions_of(self.target)
        gc.collect()
        gc.freeze()  # what is there stays shared with the forks
        source = self.target.read_text(encoding="utf-8")
        spans = dict(statements(source))
        with self.told.open("a", encoding="utf-8") as told:
            for mutant in self.mutants:
                span = spans.get(mutant["line"], range(mutant["line"], mutant["line"] + 1))
                chosen = [name for name, lines in self.lines.items() if lines & set(span)]
                chosen.sort(key=lambda name: self.seconds[name])
                end, by = self._try(mutant, [items[name] for name in chosen], functions)
                told.write(json.dumps({"key": mutant["key"], "end": end, "by": by}))
                told.write("\n")
                told.flush()
        return True

    def _learn(self, items: dict[str, pytest.Item]) -> None:
        def look() -> dict[str, Any]:
            found: dict[str, Any] = {}
            for name, item in items.items():
                started = time.monotonic()
                with traced(str(self.target)) as lines:
                    good = runs(item)
                found[name] = [sorted(lines), time.monotonic() - started, good]
            return found

        for name, (lines, seconds, good) in forked(look, 1800).items():
            if good:
                self.lines[name], self.seconds[name] = set(lines), seconds
            else:
                print(f"fails without a mutant, and is left out: {name}", file=sys.stderr)

    def _try(
        self, mutant: dict[str, Any], items: list[pytest.Item], functions: list[FunctionType]
    ) -> tuple[str, str]:
        if _outside(self.target.read_text(encoding="utf-8")) != _outside(mutant["source"]):
            return "elsewhere", ""
        if not items:
            return "uncovered", ""
        # A kill that took longer than its test does may be the machine's: it counts when it comes twice.
        end, by, at_once = self._attempt(mutant, items, functions)
        if end == "killed" and not at_once:
            end, by, _ = self._attempt(mutant, items, functions)
        return end, by

    def _attempt(
        self, mutant: dict[str, Any], items: list[pytest.Item], functions: list[FunctionType]
    ) -> tuple[str, str, bool]:
        """Return how a mutant ended, by which test, and whether in about the time that the test takes."""
        patience = 60 + 10 * sum(self.seconds[item.nodeid] for item in items)

        def attempt() -> list[Any]:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            if not planted(self.target, mutant["source"], functions):
                return ["elsewhere", "", True]
            for item in items:
                # A test that does not end takes the fork with it.
                usual = self.seconds[item.nodeid]
                signal.setitimer(signal.ITIMER_REAL, 20 + 5 * usual)
                started = time.monotonic()
                if not runs(item):
                    return ["killed", item.nodeid, time.monotonic() - started < 1 + 2 * usual]
            return ["survived", "", True]

        try:
            end, by, at_once = forked(attempt, patience)
        except TimeoutError:
            return "killed", "does not end", False
        except ChildProcessError as error:
            return "killed", f"{error}", False
        return end, by, at_once


class traced:  # noqa: N801  # reads as a word in a with statement
    """Collects the lines of one file that are passed while the block runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen: set[int] = set()

    def __enter__(self) -> set[int]:
        threading.settrace(self._call)
        sys.settrace(self._call)
        return self.seen

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        self.seen.add(frame.f_lineno)
        return self._line

    def _line(self, frame: FrameType, _event: str, _arg: object) -> Any:
        self.seen.add(frame.f_lineno)
        return self._line


def runs(item: pytest.Item) -> bool:
    """Return whether a test passes, with its set-up and its end."""
    before = item.session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return item.session.testsfailed == before


def forked(work: Callable[[], Any], patience: float) -> Any:
    """Return what the work returns in a fork of this process; raise TimeoutError, or how it died.

    Raises:
        TimeoutError: it took longer than its patience.
        ChildProcessError: it ended without an answer.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1) if os.environ.get("KBZ_MUTANTS_SHOW") else (0, 1, 2):
            os.dup2(null, number)
        try:
            answer = json.dumps(work()).encode()
        except BaseException:  # a fork must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        os.write(write, answer) if len(answer) < 60_000 else _all(write, answer)
        os._exit(0)
    os.close(write)
    try:
        said = _read(read, time.monotonic() + patience)
    finally:  # also when this one is interrupted: the fork has a session of its own, and would go on
        _end(child)
    if said is None:
        raise TimeoutError
    if not said:
        raise ChildProcessError("the process died")
    return json.loads(said)


def _end(child: int) -> None:
    """End a fork with all that it started; it may not have come to its own session yet."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _all(number: int, answer: bytes) -> None:
    while answer:
        answer = answer[os.write(number, answer) :]


def _read(number: int, end: float) -> bytes | None:
    import select

    found = b""
    with os.fdopen(number, "rb", buffering=0) as pipe:
        while (left := end - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0]:
                part = pipe.read(65536)
                if not part:
                    return found
                found += part
    return None


def statements(source: str) -> Iterator[tuple[int, range]]:
    """Yield each line with those of its statement; of a block only those of its head."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            span = range(node.lineno, max(last, node.lineno) + 1)
            for line in span:
                yield line, span


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _by_name(code: CodeType) -> dict[str, list[CodeType]]:
    found: dict[str, list[CodeType]] = defaultdict(list)
    for inner in _codes(code):
        found[inner.co_qualname].append(inner)
    return found


def functions_of(target: Path) -> list[FunctionType]:
    """Return the functions of a file: it has been loaded by its tests."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and found.__code__.co_filename == str(target)
    ]


def planted(target: Path, mutated: str, functions: list[FunctionType]) -> bool:
    """Give the functions of a loaded file their mutated code; False when the mutant is in none of them."""
    source = target.read_text(encoding="utf-8")
    if _outside(source) != _outside(mutated):
        return False
    was = _by_name(compile(source, str(target), "exec", dont_inherit=True))
    now = _by_name(compile(mutated, str(target), "exec", dont_inherit=True))
    other: dict[CodeType, CodeType] = {}
    for name, codes in was.items():
        # One that is made inside of another comes with it, and may be gone.
        if len(codes) == len(now[name]):
            other.update(zip(codes, now[name], strict=True))
    try:
        for function in functions:
            function.__code__ = other[function.__code__]
    except (KeyError, ValueError):
        return False
    return True


def _outside(source: str) -> str:
    """Return what of a file runs when it is loaded: all but the bodies of its functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Pass()]
    return ast.dump(tree)


def main(target: str, mutants: str, told: str, *tests: str) -> int:
    """Run it: all paths from the root of the tree."""
    root = Path.cwd()
    found = [json.loads(line) for line in Path(mutants).read_text(encoding="utf-8").splitlines()]
    plugin = Mutants(root / target, found, Path(told))
    place = str(Path(told).with_suffix(".scratch"))
    words = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=sys"]
    return int(pytest.main([*words, f"--basetemp={place}", *tests], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

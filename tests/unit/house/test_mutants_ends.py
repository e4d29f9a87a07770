"""scripts/mutants that is interrupted: what was judged is kept, and nothing of it goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mutants import main

ROOT = Path(__file__).parents[3]
_SOURCE = "def double(number):\n    return number + number\n"
_TEST = "from target import double\n\ndef test_it():\n    assert double(3) == 6\n"
_INTERRUPTS = """
pathlib.Path(os.environ["KBZ_TEST_CHILD"]).write_text(str(child))
os.kill(int(os.environ["KBZ_TEST_PARENT"]), signal.SIGINT)
while True:
    signal.pause()
"""
_IN_A_FORK = "def double(number):\n    import os, pathlib, signal\n    child = os.getpid()" + (
    _INTERRUPTS.replace("\n", "\n    ")
)
_AS_IT_IS_LOADED = (
    "import os, pathlib, signal, subprocess\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "child = subprocess.Popen(['tail', '-f', '/dev/null']).pid"
) + _INTERRUPTS
_DRIVER = """
import json, os, shutil, sys
from pathlib import Path
from tests.mutants import main

place = Path(sys.argv[1])
os.environ["KBZ_TEST_PARENT"] = str(os.getpid())
main.ROOT, main.CACHE, main.GRACE_SECONDS = place / "tree", place / "cache", float(sys.argv[2])
main.TARGETS = {"target.py": ("test_target.py",)}
main.copied = lambda to: shutil.copytree(place / "tree", to)
main.made = lambda python, target: json.loads((place / "made.json").read_text())
main.judged("python", "target.py")
"""
"""A process of its own: no other thread of the tests can take its Ctrl-C."""


def interrupted(place: Path, grace: float, *sources: str) -> dict[str, str]:
    """Judge these mutants until one of them interrupts it; return what was kept, by number."""
    found = [{"key": str(n), "line": 2, "source": source} for n, source in enumerate(sources)]
    (place / "made.json").write_text(json.dumps(found))
    tree = place / "tree"
    (tree / "tests" / "mutants").mkdir(parents=True)
    for name in ("tests/__init__.py", "tests/mutants/__init__.py", "tests/mutants/session.py"):
        shutil.copy2(ROOT / name, tree / name)
    (tree / "target.py").write_text(_SOURCE)
    (tree / "test_target.py").write_text(_TEST)
    # None of the plugins is needed, and they load slowly.
    more = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "KBZ_TEST_CHILD": str(place / "child")}
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(place), str(grace)],
        cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT, done.stderr
    kept = (place / "cache" / "results.jsonl").read_text().splitlines()
    return {answer["key"]: answer["end"] for answer in map(json.loads, kept)}


def gone(child: int) -> bool:
    """Return whether a process has ended; one whose end is not read yet has."""
    try:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def assert_gone(place: Path) -> None:
    child, end = int((place / "child").read_text()), time.monotonic() + 10
    while not gone(child):
        assert time.monotonic() < end, "it goes on"


@pytest.mark.parametrize(
    ("last", "grace"),
    [(_IN_A_FORK, 10.0), (_AS_IT_IS_LOADED, 0.1)],
    ids=["a fork", "what the tests started, though they do not end"],
)
def test_what_was_judged_is_kept_and_nothing_goes_on(
    tmp_path: Path, last: str, grace: float
) -> None:
    killed, survives = _SOURCE.replace("+", "-"), _SOURCE.replace("number + number", "2 * number")
    assert interrupted(tmp_path, grace, killed, survives, last) == {"0": "killed", "1": "survived"}
    assert_gone(tmp_path)


def test_half_a_line_of_a_session_that_was_ended_says_nothing(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    assert main.told_by(told) == {}
    told.write_text('{"key": "a", "end": "killed", "by": ""}\n{"key": "b", "en')
    assert main.told_by(told) == {"a": "killed"}

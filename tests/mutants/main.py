"""Make the mutants of each file, run its own tests against each, and say which survive: `scripts/mutants`.

What a mutant came to is kept under its own text, so that a session goes on where it was ended; a survivor is tried
again when its tests have changed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutants.page import PAGE, page
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/kbz-mutants")
WHOLE_SECONDS = 600.0
"""Patience with a file that is loaded with a mutant in it, above what its tests take."""
GRACE_SECONDS = 10.0
"""Until a session that was interrupted has ended what it started."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def made(python: str, target: str) -> list[dict[str, Any]]:
    """Return the mutants of a file; each knows its key."""
    done = subprocess.run(
        [python, str(ROOT / "tests/mutants/make.py"), target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [{**mutant, "key": digest(target + mutant["source"])} for mutant in found]


def tests_digest(target: str) -> str:
    """Return what changes when a test of the file does."""
    paths = [ROOT / name for name in TARGETS[target]]
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    return digest("".join(file.read_text(encoding="utf-8") for file in files))


def copied(place: Path) -> Path:
    """Copy the tree, so that it can be worked on while the mutants run."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}


def ended(tree: Path, words: Sequence[str], patience: float | None = None) -> tuple[int, str]:
    """Run a Python to its end, and return its code and what it said; nothing that it started is left, whatever ends it.

    It has a session of its own: Ctrl-C is this process's alone, which passes it on once and lets it clean up.
    """
    with subprocess.Popen(
        [sys.executable, *words], cwd=tree, env=environment(tree), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as running:  # fmt: skip
        try:
            said, _ = running.communicate(timeout=patience)
        except BaseException:
            running.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.communicate(timeout=GRACE_SECONDS)
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    return running.returncode, said


def in_one_session(tree: Path, target: str, mutants: list[dict[str, Any]], told: Path) -> None:
    """Try all mutants in one session, which writes down each as soon as it is judged."""
    if not mutants:
        return
    file = tree.parent / "mutants.jsonl"
    file.write_text("".join(json.dumps(mutant) + "\n" for mutant in mutants), encoding="utf-8")
    words = ["-m", "tests.mutants.session", target, str(file), str(told), *TARGETS[target]]
    _, said = ended(tree, words)
    print(*[f"{line}\n" for line in said.splitlines() if "left out" in line], sep="", end="")
    if not told.exists():
        raise SystemExit(f"the tests of {target} cannot be run:\n{said[-4000:]}")


def told_by(session: Path) -> dict[str, str]:
    """Return how each mutant ended that a session has judged, by its key; half a line says nothing."""
    lines = session.read_text("utf-8").splitlines(keepends=True) if session.exists() else []
    answers = [json.loads(line) for line in lines if line.endswith("\n")]
    return {answer["key"]: answer["end"] for answer in answers}


def whole(tree: Path, target: str, source: str) -> str:
    """Return what tests say of a mutant that is there from the first line on: a constant, a default, a decorator."""
    place = tree / target
    kept = place.read_text(encoding="utf-8")
    words = ["-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    try:
        place.write_text(source, encoding="utf-8")
        for stale in place.parent.glob(f"__pycache__/{place.stem}.*.pyc"):
            stale.unlink()
        scratch = f"--basetemp={tree.parent / 'scratch'}"
        code, _ = ended(tree, [*words, scratch, *TARGETS[target]], WHOLE_SECONDS)
    except subprocess.TimeoutExpired:
        return "not known"
    finally:
        place.write_text(kept, encoding="utf-8")
    return "survived" if code == 0 else "killed"


def known() -> dict[str, dict[str, Any]]:
    file = CACHE / "results.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {answer["key"]: answer for answer in map(json.loads, lines)}


def judged(python: str, target: str) -> list[dict[str, Any]]:
    """Return each mutant of a file with what it came to, now or in an earlier session."""
    mutants, tests, before = made(python, target), tests_digest(target), known()
    old = {
        key: answer
        for key, answer in before.items()
        if answer["end"] == "killed" or answer["tests"] == tests
    }
    new = [mutant for mutant in mutants if mutant["key"] not in old]
    ends = {key: answer["end"] for key, answer in old.items()}
    with tempfile.TemporaryDirectory(prefix="kbz-mutants-") as place:
        tree, told = copied(Path(place) / "tree"), Path(place) / "told.jsonl"
        try:
            in_one_session(tree, target, new, told)
        finally:  # an hour's answers are kept, whatever ends this one
            found = told_by(told)
            keep({key: end for key, end in found.items() if end != "elsewhere"}, tests)
        ends.update(found)
        for mutant in new:
            if ends.get(mutant["key"]) == "elsewhere":
                ends[mutant["key"]] = whole(tree, target, mutant["source"])
                keep({mutant["key"]: ends[mutant["key"]]}, tests)
    return [{**mutant, "end": ends.get(mutant["key"], "not run")} for mutant in mutants]


def keep(ends: dict[str, str], tests: str) -> None:
    """Add to what is known how these mutants ended, and with which tests."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "results.jsonl").open("a", encoding="utf-8") as file:
        for key, end in ends.items():
            file.write(json.dumps({"key": key, "end": end, "tests": tests}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="a Python that has cosmic-ray")
    parser.add_argument("--docs", action="store_true", help="write them into docs/mutants.md")
    parser.add_argument("files", nargs="*", help="files of tests/mutants/targets.py; without: all")
    asked = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # cleaned up as after Ctrl-C
    unknown = set(asked.files) - set(TARGETS)
    if unknown:
        parser.error(f"no target: {', '.join(sorted(unknown))}; tests/mutants/targets.py has them")
    every: dict[str, list[dict[str, Any]]] = {}
    for target in asked.files or TARGETS:
        started = time.monotonic()
        every[target] = found = judged(asked.python, target)
        ends = Counter(mutant["end"] for mutant in found)
        share = 100 * ends["killed"] / len(found)
        print(
            f"{target}: {len(found)} mutants, {ends['killed']} killed ({share:.1f} %),"
            f" {time.monotonic() - started:.0f} s"
        )
        for mutant in found:
            if mutant["end"] != "killed":
                print(f"  {mutant['end']} {target}:{mutant['line']} {mutant['operator']}")
                print(f"    - {mutant['was']}\n    + {mutant['now']}")
        sys.stdout.flush()
    if asked.docs:
        PAGE.write_text(page(every, PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the mutants of each file, run its own tests against each, and say which survive: `scripts/mutants`.

What a mutant came to is kept under its own text, so that a session goes on where it was ended; a survivor is tried
again when its tests have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutants.page import PAGE, page
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/kbz-mutants")
WHOLE_SECONDS = 600.0
"""Patience with a file that is loaded with a mutant in it, above what its tests take."""


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


def tried(tree: Path, target: str, mutants: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each mutant came to: first all in one session, then what it left in a process of its own."""
    if not mutants:
        return {}
    file, told = tree.parent / "mutants.jsonl", tree.parent / "told.jsonl"
    file.write_text("".join(json.dumps(mutant) + "\n" for mutant in mutants), encoding="utf-8")
    told.unlink(missing_ok=True)
    words = ["-m", "tests.mutants.session", target, str(file), str(told), *TARGETS[target]]
    done = subprocess.run(
        [sys.executable, *words], cwd=tree, env=environment(tree), capture_output=True, text=True, check=False
    )  # fmt: skip
    print(*[line for line in done.stderr.splitlines() if "left out" in line], sep="\n", end="")
    if not told.exists():
        raise SystemExit(
            f"the tests of {target} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    answers = {a["key"]: a for a in map(json.loads, told.read_text("utf-8").splitlines())}
    by_key = {mutant["key"]: mutant for mutant in mutants}
    for key, answer in answers.items():
        if answer["end"] == "elsewhere":
            answer["end"] = whole(tree, target, by_key[key]["source"])
    return answers


def whole(tree: Path, target: str, source: str) -> str:
    """Return what tests say of a mutant that is there from the first line on: a constant, a default, a decorator."""
    place = tree / target
    kept = place.read_text(encoding="utf-8")
    words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    try:
        place.write_text(source, encoding="utf-8")
        for stale in place.parent.glob(f"__pycache__/{place.stem}.*.pyc"):
            stale.unlink()
        done = subprocess.run(
            [sys.executable, "-B", *words, f"--basetemp={tree.parent / 'scratch'}", TARGETS[target][0]],
            cwd=tree, env=environment(tree), capture_output=True, check=False, timeout=WHOLE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "not known"
    finally:
        place.write_text(kept, encoding="utf-8")
    return "survived" if done.returncode == 0 else "killed"


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
    with tempfile.TemporaryDirectory(prefix="kbz-mutants-") as place:
        tree = copied(Path(place) / "tree")
        answers = tried(tree, target, [m for m in mutants if m["key"] not in old])
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "results.jsonl").open("a", encoding="utf-8") as file:
        for key, answer in answers.items():
            file.write(json.dumps({"key": key, "end": answer["end"], "tests": tests}) + "\n")
    ends = {key: answer["end"] for key, answer in {**old, **answers}.items()}
    return [{**mutant, "end": ends.get(mutant["key"], "not run")} for mutant in mutants]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="a Python that has cosmic-ray")
    parser.add_argument("--docs", action="store_true", help="write docs/mutants.md")
    parser.add_argument("files", nargs="*", help="files of tests/mutants/targets.py; without: all")
    asked = parser.parse_args()
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
        PAGE.write_text(page(every), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How long `kbz policy check` takes for a repository, next to detect-secrets alone on the same files."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "policy"
COPIES = 4
"""Of each file, so that starting counts for little."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Seconds of one run: by the clock, and of the processor."""

    wall: float
    processor: float


def corpus(folder: Path) -> int:
    """Write the files of the tests' applications and cases below a folder; return how many there are."""
    written = 0
    for source in sorted(DATA.rglob("*.yaml")):
        found = YAML(typ="safe").load(source)
        cases = found if isinstance(found, list) else [found]
        for number, case in enumerate(cases):
            for copy in range(COPIES):
                for name, text in case["files"].items():
                    path = folder / f"{source.stem}-{number}-{copy}" / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{text}\n# copy {copy}\n" if name == ".env" else text)
                    written += 1
    return written


def measured(wanted: int) -> str:
    """Return the section: medians of whole processes, each round beginning with another one."""
    programs = {
        "kbz policy check": [str(ROOT / ".venv/bin/kbz"), "policy", "check", "--format", "json"],
        "detect-secrets scan": [str(ROOT / ".venv/bin/detect-secrets"), "scan", "--no-verify"],
    }
    rest = {"kbz policy check": ["."], "detect-secrets scan": ["--all-files", "."]}
    taken: dict[str, list[_Taken]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory(prefix="kbz-bench-") as name:
        folder = Path(name)
        files = corpus(folder)
        for number in range(wanted):
            order = list(programs)[number % 2 :] + list(programs)[: number % 2]
            for program in order:
                taken[program].append(_run([*programs[program], *rest[program]], folder, program))
    return f"{files} files\n\n{_table(taken, files)}\n"


def _run(argv: list[str], folder: Path, program: str) -> _Taken:
    started = time.monotonic()
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode not in (0, 3):
        sys.exit(f"{program}: exit {process.returncode}")
    print(f"  policy {program}: {seconds:.2f} s", file=sys.stderr)
    return _Taken(seconds, usage.ru_utime + usage.ru_stime)


def _table(taken: dict[str, list[_Taken]], files: int) -> str:
    processor = {n: statistics.median(i.processor for i in found) for n, found in taken.items()}
    lines = [
        "| program | wall, median (least to most) | CPU, median | files for a second of CPU | CPU of kbz |",
        "|---|---|---|---|---|",
    ]
    for name, found in taken.items():
        walls = [item.wall for item in found]
        wall = f"{statistics.median(walls):.2f} s ({min(walls):.2f} to {max(walls):.2f})"
        used = processor[name]
        ratio = used / processor["kbz policy check"]
        lines.append(f"| {name} | {wall} | {used:.2f} s | {files / used:.0f} | {ratio:.2f} |")
    return "\n".join(lines)

"""kbz beside Ansible, pyinfra, nornir-netmiko and bare libssh2, interleaved in one run: `scripts/bench`."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.bench import against, beside, growth, policy, things
from tests.bench.measure import Sample, Samples, rounds
from tests.bench.programs import ANSIBLE_HOSTS, NEW, OLD, Program, programs
from tests.bench.stage import Stage, stage
from tests.bench.table import table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
WORKS = {
    "start": "Start: what a program takes longer than a bare Python",
    "W1": "W1: one health command everywhere, cold, whole process",
    "W1w": "W1w: the same again on open connections",
    "W2": "W2: check of 20 files, 3 directories and 5 kernel settings on each host, nothing to change",
    "W3": "W3: push of 20 changed files to each host",
    "growth": "Time and memory as the work grows",
    "beside": "kbz run --side-by-side",
    "policy": "Policy check of a repository",
}
SLOW_ROUNDS = {"pyinfra": 2, "ansible": 1}
"""Rounds of W2 and W3, where these programs take minutes."""


def counts(work: str, program: Program, hosts: int, wanted: int) -> int:
    """Return how many rounds a program takes part in: all must end within a quarter of an hour."""
    if work in ("W2", "W3"):
        return min(wanted, SLOW_ROUNDS.get(program.name, wanted)) if hosts <= 49 else 0
    if hosts <= 49:
        return min(wanted, 3) if program.name == "ansible" else wanted
    if program.name == "ansible":
        return 1 if hosts <= 200 else 0
    return min(wanted, 3 if hosts <= 200 else 2)


def measure(made: Stage, folder: Path, venv: Path, works: list[str], wanted: int) -> Iterator[str]:
    """Yield a section for each work on one stage."""
    size = len(made.addresses)
    contestants = programs(made, folder, venv)
    places = [folder / "hosts" / address for address in made.addresses]
    for place in places:
        things.write_host(place, OLD)

    def reset() -> None:
        for place in places:
            things.write_files(place, OLD)

    def judge() -> None:
        missing = [place.name for place in places if not things.has_version(place, NEW)]
        if missing:
            sys.exit(f"the new files are not on {', '.join(missing)}")

    for work in works:
        if work in ("start", "beside", "growth", "policy"):
            continue
        steps = (reset, judge) if work == "W3" else (reset,) if work == "W2" else ()
        found = rounds(
            made, contestants, work, partial(counts, work, hosts=size, wanted=wanted), *steps
        )
        if not found:
            continue
        note = ""
        if work == "W2" and "ansible" in found and size > ANSIBLE_HOSTS:
            found["ansible"] = scaled(found, size / ANSIBLE_HOSTS)
            note = f"\n\nAnsible was measured on {ANSIBLE_HOSTS} hosts; its times are scaled to {size}."
        trips = {s.round_trips for s in found.get("kbz", []) if s.round_trips}
        told = f"\n\nRound trips of kbz for each host: {', '.join(sorted(trips))}." if trips else ""
        yield f"### {WORKS[work]}, {size} hosts\n\n{table(found)}{note}{told}\n"


def scaled(found: Samples, factor: float) -> list[Sample]:
    """Return Ansible's samples as if on all hosts: its time grows with hosts times tasks."""
    return [
        replace(s, wall=s.wall * factor, client=s.client * factor, hosts=s.hosts * factor)
        for s in found["ansible"]
    ]


def starts(venv: Path, wanted: int) -> str:
    """Return the section about starting: help, and a command that is refused at once."""
    kbz = str(DOCUMENT.parents[1] / ".venv/bin/kbz")
    words = {
        "a bare Python": [str(DOCUMENT.parents[1] / ".venv/bin/python"), "-c", "pass"],
        "kbz --help": [kbz, "--help"],
        "a refused command (kbz pln)": [kbz, "pln"],
        "ansible --version": [str(venv / "bin/ansible"), "--version"],
        "pyinfra --version": [str(venv / "bin/pyinfra"), "--version"],
    }
    taken: dict[str, list[float]] = {name: [] for name in words}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(2 * wanted + 1):
        for name, argv in words.items():
            started = time.monotonic()
            subprocess.run(argv, capture_output=True, check=False, env=env)
            if number:
                taken[name].append(time.monotonic() - started)
    bare = statistics.median(taken["a bare Python"])
    lines = ["| program | median | more than a bare Python |", "|---|---|---|"]
    for name, of in taken.items():
        middle = statistics.median(of)
        lines.append(f"| {name} | {middle * 1000:.0f} ms | {(middle - bare) * 1000:.0f} ms |")
    return f"### {WORKS['start']}\n\n" + "\n".join(lines) + "\n"


def circumstances(venv: Path, wanted: int, load: str) -> str:
    """Say when, where and with what this was measured."""
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    )
    listed = subprocess.run(
        [venv / "bin/python", "-m", "pip", "list", "--format", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = ("ansible-core", "pyinfra", "nornir", "nornir-netmiko", "netmiko", "ssh2-python")
    installed = dict(line.split("==") for line in listed.stdout.split() if "==" in line)
    versions = ", ".join(f"{name} {installed[name]}" for name in names)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores for hosts and program together, {load}; "
        f"up to {wanted} rounds. kbz {revision.stdout.strip()}, {versions}, Python {platform.python_version()}.\n"
    )


def main() -> None:
    """Measure what is asked for and write it into the document."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("venv", type=Path)
    parser.add_argument(
        "--hosts",
        default="49,200,500",
        help="numbers of hosts, by commas; 48 is the least: the closed groups",
    )
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--only", default=",".join(WORKS), help="works, by commas")
    parser.add_argument("--print", action="store_true", help="leave docs/benchmarks.md as it is")
    parser.add_argument(
        "--against", metavar="REV", help="only `kbz health`, of this tree next to that revision"
    )
    asked = parser.parse_args()
    works = [work for work in WORKS if work in asked.only.split(",") and not asked.against]
    before = os.getloadavg()[0]
    if "policy" in works:
        found = f"{circumstances(asked.venv, asked.rounds, f'load {before:.1f}')}\n{policy.measured(asked.rounds)}"
        write("policy", found, only_printed=asked.print)
        works.remove("policy")
    if "beside" in works:
        found = f"{circumstances(asked.venv, 1, f'load {before:.1f}')}\n{beside.measured()}"
        write("beside", found, only_printed=asked.print)
        works.remove("beside")
    if "growth" in works:
        for found in growing(
            [int(size) for size in asked.hosts.split(",")], asked.venv, asked.rounds
        ):
            load = f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
            text = f"{circumstances(asked.venv, asked.rounds, load)}\n{found}"
            write("growth", text, only_printed=asked.print)
        works.remove("growth")
    if asked.against:
        sizes = [int(size) for size in asked.hosts.split(",")]
        sections = [next_to(asked.against, size, asked.rounds) for size in sizes]
        load = f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        text = "\n".join([circumstances(asked.venv, asked.rounds, load), *sections])
        write("against", text, only_printed=asked.print)
    if not works:
        return
    sections = [starts(asked.venv, asked.rounds)] if "start" in works else []
    for size in map(int, asked.hosts.split(",")):
        with tempfile.TemporaryDirectory(prefix="kbz-bench-") as name:
            folder = Path(name)
            (folder / "stage").mkdir()
            with stage(folder / "stage", size) as made:
                sections += measure(made, folder, asked.venv, works, asked.rounds)
    load = f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    text = "\n".join([circumstances(asked.venv, asked.rounds, load), *sections])
    write("measured", text, only_printed=asked.print)


def growing(sizes: list[int], venv: Path, wanted: int) -> Iterator[str]:
    """Measure each number of hosts; after each, draw the plots and yield the tables of all so far."""
    rows: growth.Rows = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="kbz-bench-") as name:
            folder = Path(name)
            (folder / "stage").mkdir()
            with stage(folder / "stage", size) as made:
                for program, samples in growth.measured(made, folder, venv, wanted).items():
                    rows.setdefault(program, {})[size] = growth.middle(samples)
        growth.draw(rows, venv)
        yield growth.section(rows)


def next_to(revision: str, size: int, wanted: int) -> str:
    """Return the section about `kbz health` next to a revision."""
    with tempfile.TemporaryDirectory(prefix="kbz-bench-") as name:
        folder = Path(name)
        (folder / "stage").mkdir()
        with stage(folder / "stage", size) as made:
            return against.measured(made, folder, revision, wanted)


def write(part: str, text: str, *, only_printed: bool) -> None:
    """Print a part of the document, and put it between its marks there unless it is only to be printed."""
    print(text)
    if only_printed:
        return
    head, _, rest = DOCUMENT.read_text().partition(f"<!-- {part} -->")
    _, mark, tail = rest.partition("<!-- end -->")
    DOCUMENT.write_text(f"{head}<!-- {part} -->\n{text}{mark}{tail}")


if __name__ == "__main__":
    main()

"""kbz beside Ansible and pyinfra on the same ten lab hosts, interleaved in one run: `scripts/bench`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.contestants import FILES, Contestant, contestants
from tests.lab.conftest import Kbz, write_site

LAB = "kbz-bench"
LIMIT = "db,redis,queue,temporal-01"
JOURNALD = "/etc/systemd/journald.conf.d/keybuzz.conf"
ROUNDS = int(os.environ.get("KBZ_BENCH_ROUNDS", "5"))
Times = dict[str, list[float]]


def call(words: list[str], env: dict[str, str]) -> float:
    """Run a program to its good end and return its wall time in seconds."""
    started = time.monotonic()
    done = subprocess.run(
        words, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    took = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return took


def rounds(
    all_of_them: list[Contestant],
    words: Callable[[Contestant], list[str]],
    before: Callable[[], object],
    after: Callable[[], object],
) -> Times:
    """Measure each contestant once per round, beginning with another one each time; the first round does not count."""
    found: Times = {one.name: [] for one in all_of_them}
    for number in range(ROUNDS + 1):
        first = number % len(all_of_them)
        for one in [*all_of_them[first:], *all_of_them[:first]]:
            before()
            took = call(words(one), one.env)
            after()
            print(f"  {one.name} {took:.2f} s", file=sys.stderr)
            if number:
                found[one.name].append(took)
    return found


def nothing() -> None:
    """Neither prepare nor judge."""


def measure(kbz: Kbz, found: list[Contestant]) -> dict[str, Times]:
    """Return the times of all contestants for each thing that is measured."""
    limit = ("--limit", LIMIT)

    def damage() -> None:
        kbz.good("exec", *limit, "--", f"echo '# edited' >> {JOURNALD}")

    def judge() -> None:
        kbz.good("plan", "base", *limit)

    for one in found:
        call(one.converge, one.env)
    judge()
    return {
        "start of the program": rounds(found, lambda one: one.help, nothing, nothing),
        "one command on each host": rounds(found, lambda one: one.command, nothing, nothing),
        "nothing to change": rounds(found, lambda one: one.converge, nothing, nothing),
        "one file changed on each host": rounds(found, lambda one: one.converge, damage, judge),
    }


def table(times: dict[str, Times]) -> str:
    """Return the medians and, with kbz = 1.0, their ratios."""
    names = list(next(iter(times.values())))
    lines = ["| wall time | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for what, of in times.items():
        medians = {name: statistics.median(values) for name, values in of.items()}
        cells = [f"{m / medians['kbz']:.1f} ({m:.2f} s)" for m in medians.values()]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions(found: list[Contestant]) -> str:
    """Return the first line that each program says about itself."""
    said = [
        subprocess.run(one.help, capture_output=True, text=True, check=True).stdout.splitlines()[0]
        for one in found[1:]
    ]
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    )
    return ", ".join([f"kbz {revision.stdout.strip()}", *said, f"Python {sys.version.split()[0]}"])


def main() -> None:
    """Start the lab, make its hosts as described, measure, print."""
    venv = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="kbz-bench-") as name:
        folder = Path(name)
        kbz = write_site(folder, LAB)
        kbz.good("lab", "up", "--limit", LIMIT, timeout=1800)
        kbz.good("secrets", "init")
        kbz.good("run", "base", "--all", "--limit", LIMIT, timeout=1800)
        document = kbz.good("inventory", "--limit", LIMIT, "--format", "json").json()
        hosts = {server["name"]: server["address"] for server in document["servers"]}
        for path in FILES:
            target = folder / "files" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(kbz.on(next(iter(hosts)), f"cat {path}"))
        found = contestants(kbz, hosts, venv, folder, LAB)
        before = os.getloadavg()[0]
        times = measure(kbz, found)
        load = f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        print(f"{datetime.now(UTC):%Y-%m-%d}, {len(hosts)} hosts, {ROUNDS} rounds, medians;")
        print(f"{os.cpu_count()} cores, {load}; {versions(found)}.\n")
        print(table(times))


if __name__ == "__main__":
    main()

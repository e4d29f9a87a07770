"""Time, CPU, memory and bytes on the wire as the number of hosts grows: a table, and a plot by pygal."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from statistics import median

from tests.bench.against import health, no_lab
from tests.bench.measure import Sample, Samples, rounds
from tests.bench.programs import REPOSITORY, Program, programs
from tests.bench.site import write_site
from tests.bench.stage import Stage

PLOTS = REPOSITORY / "docs" / "plots"
WORK = "growth"
SHARDED = "kbz health, kbz_sharded"
_PEERS = ("kbz", "pyinfra")
"""Without libssh2: in 50 threads, on a busy machine, it hung at 200 hosts once and at 1000 twice."""
_RUNNER = re.compile(r"^runner:\n(?:[ #].*\n|\n)*", re.MULTILINE)
_SHARDED = """\
runner:
  plugin: kbz_sharded
  options: {{back_end: process, num_workers: 50, shard_size: {size}, shards: 2}}

"""
MEASURES = {
    "wall": "seconds",
    "client": "client CPU for each host, ms",
    "memory": "memory of the largest process, MiB",
    "wire": "KB on the wire for each host",
}
"""What is plotted, by the field of a sample."""
Rows = dict[str, dict[int, Sample]]
"""By program and number of hosts: the medians."""


def measured(made: Stage, folder: Path, venv: Path, wanted: int) -> Samples:
    """Return the samples of one number of hosts: W1 of kbz and pyinfra, and a look with and without workers."""
    able = {p.name: p for p in programs(made, folder, venv)}
    peers = [
        replace(able[name], name=f"{name}: W1", works={WORK: able[name].works["W1"]})
        for name in _PEERS
    ]
    return rounds(made, [*peers, *_looks(made, folder)], WORK, lambda program: wanted)


def _looks(made: Stage, folder: Path) -> list[Program]:
    """Return `kbz health` by threads of one process, and by two workers at a time on this machine."""
    config = Path(no_lab(write_site(folder / "growth-site", made)))
    python = REPOSITORY / ".venv/bin/python"
    own = config.with_name("sharded_config.yaml")
    runner = _SHARDED.format(size=min(500, -(-len(made.addresses) // 2)))
    own.write_text(_RUNNER.sub(runner, config.read_text()))
    looks = [
        health("kbz health", python, REPOSITORY, str(config)),
        health(SHARDED, python, REPOSITORY, str(own)),
    ]
    return [replace(look, works={WORK: look.works["health"]}) for look in looks]


def section(rows: Rows) -> str:
    """Return the tables, one for each measure."""
    sizes = sorted({size for of in rows.values() for size in of})
    parts = []
    for measure, title in MEASURES.items():
        head = f"| {title} | " + " | ".join(f"{size} hosts" for size in sizes) + " |"
        lines = [head, "|---" * (len(sizes) + 1) + "|"]
        for name, of in rows.items():
            cells = [
                _cell(_value(of[size], measure, size)) if size in of else "–" for size in sizes
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def draw(rows: Rows, venv: Path) -> None:
    """Let pygal draw one plot for each measure, in the environment of the peers."""
    sizes = sorted({size for of in rows.values() for size in of})
    for measure, title in MEASURES.items():
        lines = {
            name: [_value(of[size], measure, size) if size in of else None for size in sizes]
            for name, of in rows.items()
        }
        words = {"title": title, "hosts": sizes, "lines": lines}
        subprocess.run(
            [venv / "bin/python", Path(__file__).parent / "peers" / "plot.py"],
            input=json.dumps(words),
            stdout=(PLOTS / f"growth-{measure}.svg").open("w"),
            text=True,
            check=True,
        )


def middle(samples: list[Sample]) -> Sample:
    """Return the medians of one program's runs."""

    def of(name: str) -> float:
        return float(median(getattr(sample, name) for sample in samples))

    return Sample(of("wall"), of("client"), of("hosts"), of("memory"), wire=of("wire"))


def _value(sample: Sample, measure: str, size: int) -> float:
    value: float = getattr(sample, measure)
    shares = {"client": 1000 / size, "wire": 1 / 1000 / size}
    return value * shares.get(measure, 1.0)


def _cell(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"

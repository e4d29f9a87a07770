"""Tables of what was measured, with ratios."""

from __future__ import annotations

from statistics import median

from tests.bench.measure import Sample, Samples

FLOOR = "libssh2, one thread"
_HEAD = (
    "program",
    "wall, median (least to most)",
    "of kbz",
    "of the floor",
    "client CPU",
    "hosts' CPU",
    "memory",
    "runs",
)


def table(samples: Samples) -> str:
    """Return one work's table: medians, and the ratios of the medians."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" * len(_HEAD) + "|"]
    base = {name: _middle(of, "wall") for name, of in samples.items() if of}
    for name, of in samples.items():
        walls = sorted(sample.wall for sample in of)
        cells = (
            name,
            f"{_number(median(walls))} s ({_number(walls[0])} to {_number(walls[-1])})",
            _ratio(base[name], base.get("kbz")),
            _ratio(base[name], base.get(FLOOR)),
            f"{_middle(of, 'client'):.2f} s",
            f"{_middle(of, 'hosts'):.2f} s",
            f"{_middle(of, 'memory'):.0f} MiB",
            str(len(of)),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _middle(samples: list[Sample], name: str) -> float:
    return float(median(getattr(sample, name) for sample in samples))


def _number(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 0.2 else f"{seconds:.2f}"


def _ratio(value: float, of: float | None) -> str:
    return f"{value / of:.2f}" if of else "–"

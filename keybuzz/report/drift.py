"""What is not as described, against the run before, as text. Pure."""

from __future__ import annotations

from keybuzz.model.drift import DriftItem, DriftReport, Standing
from keybuzz.model.report import Report


def drift_text(report: Report) -> str:
    """Return one line for each item of the hosts that were looked at, and how they stand."""
    if report.drift is None:
        return ""
    shown = [
        item
        for item in report.drift.items
        if item.standing is not Standing.UNSEEN or item.host in report.hosts
    ]
    if not shown:
        return ""
    against = f" against run {report.drift.before}" if report.drift.before else ""
    return "\n".join([f"drift{against}", *(drift_line(item) for item in shown)])


def drift_line(item: DriftItem) -> str:
    """Return one thing that is not as described."""
    since = f"  (since run {item.since})" if item.standing is not Standing.NEW else ""
    what = f": {item.what}" if item.what else ""
    return f"  {item.standing.value:<6} {item.identity}{what}{since}"


def drift_words(drift: DriftReport) -> str:
    """Return the counts, for the last line."""
    strays = sum(item.stray for item in drift.present)
    counts = [f"{len(drift.of(standing))} {standing.value}" for standing in Standing]
    if not drift.of(Standing.UNSEEN):
        counts.pop()
    return f"{strays} stray{'s' * (strays != 1)}; {', '.join(counts)}"

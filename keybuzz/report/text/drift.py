"""What is not as described, against the run before, as text. Pure."""

from __future__ import annotations

from collections import Counter

from keybuzz.model.reports.drift import DriftItem, Standing
from keybuzz.model.reports.report import Report


def drift_text(report: Report) -> str:
    """Return one line for each item of the hosts that were looked at, and how they stand."""
    if report.drift is None:
        return ""
    shown = _shown(report)
    if not shown:
        return ""
    against = f" against run {report.drift.before}" if report.drift.before else ""
    return "\n".join([f"drift{against}", *(drift_line(item) for item in shown)])


def news_text(report: Report) -> str:
    """Return only what came and went, for mail from a timer; empty when there is nothing to tell."""
    if report.drift is None or not (report.drift.moved or report.warnings):
        return ""
    lines = [drift_line(item) for item in report.drift.of(Standing.NEW, Standing.GONE)]
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in report.warnings)])


def drift_line(item: DriftItem) -> str:
    """Return one thing that is not as described."""
    since = f"  (since run {item.since})" if item.standing is not Standing.NEW else ""
    what = f": {item.what}" if item.what else ""
    return f"  {item.standing.value:<6} {item.identity}{what}{since}"


def drift_words(report: Report) -> str:
    """Return the counts, for the last line."""
    counts = Counter(item.standing for item in _shown(report))
    strays = sum(item.stray for item in report.drift.present) if report.drift else 0
    words = [
        f"{counts[standing]} {standing.value}"
        for standing in Standing
        if counts[standing] or standing is not Standing.UNSEEN
    ]
    return f"{strays} stray{'s' * (strays != 1)}; {', '.join(words)}"


def _shown(report: Report) -> tuple[DriftItem, ...]:
    """Return what concerns the hosts that were asked for: what is known of others is only carried on."""
    items = report.drift.items if report.drift else ()
    return tuple(
        item for item in items if item.standing is not Standing.UNSEEN or item.host in report.hosts
    )

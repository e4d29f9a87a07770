"""What is not as described, against the run before, as text. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.reports.drift import DriftItem, Kind, Standing
from keybuzz.model.reports.folding import placeless
from keybuzz.model.reports.report import Report
from keybuzz.report.screen.hosts import shown_hosts


def drift_text(report: Report) -> str:
    """Return a line for each item of the hosts that were looked at, and how it stands; the same on many is one."""
    if report.drift is None:
        return ""
    shown = _shown(report)
    if not shown:
        return ""
    against = f" against run {report.drift.before}" if report.drift.before else ""
    return "\n".join([f"drift{against}", *drift_lines(shown)])


def news_text(report: Report) -> str:
    """Return only what came and went, for mail from a timer; empty when there is nothing to tell."""
    if report.drift is None or not (report.drift.moved or report.warnings):
        return ""
    told = (Standing.NEW, Standing.GONE, Standing.ACCEPTED)
    lines = list(drift_lines(item for item in _shown(report) if item.standing in told))
    return "\n".join([*lines, *(f"  warning: {warning}" for warning in report.warnings)])


def drift_lines(items: Iterable[DriftItem]) -> Iterator[str]:
    """Yield what is not as described; the same on many hosts is one line with the list."""
    grouped: dict[tuple[Standing, int, Kind, str, str], list[DriftItem]] = defaultdict(list)
    for item in items:
        known = 0 if item.standing is Standing.NEW else item.since
        what = placeless(item.what, item.host)
        grouped[item.standing, known, item.kind, item.thing, what].append(item)
    for (_, _, _, _, what), same in grouped.items():
        first = same[0]
        if len(same) == 1:
            yield drift_line(first)
            continue
        thing = f"{first.kind.value} {first.thing}".rstrip()
        places = shown_hosts(item.place for item in same)
        since = f"  (since run {first.since})" if first.standing is not Standing.NEW else ""
        said = f": {what}" if what else ""
        yield f"  {first.standing.value:<6} {thing}  {places}{said}{since}"


def drift_line(item: DriftItem) -> str:
    """Return one thing that is not as described."""
    since = f"  (since run {item.since})" if item.standing is not Standing.NEW else ""
    what = f": {item.what}" if item.what else ""
    return f"  {item.standing.value:<6} {item.identity}{what}{since}"


def drift_words(report: Report) -> str:
    """Return the counts, for the last line."""
    counts = Counter(item.standing for item in (*_shown(report), *_quiet(report)))
    strays = sum(item.stray for item in report.drift.present) if report.drift else 0
    seldom = (Standing.UNSEEN, Standing.ACCEPTED)
    words = [
        f"{counts[standing]} {standing.value}"
        for standing in Standing
        if counts[standing] or standing not in seldom
    ]
    return f"{strays} stray{'s' * (strays != 1)}; {', '.join(words)}"


def _shown(report: Report) -> tuple[DriftItem, ...]:
    """Return what concerns the hosts that were asked for: what is known of others is only carried on.

    What is accepted is told once.
    """
    quiet = frozenset(_quiet(report))
    items = report.drift.items if report.drift else ()
    return tuple(
        item
        for item in items
        if item not in quiet and (item.standing is not Standing.UNSEEN or item.host in report.hosts)
    )


def _quiet(report: Report) -> Iterator[DriftItem]:
    """Yield what is accepted and was told before."""
    for item in report.drift.of(Standing.ACCEPTED) if report.drift else ():
        if report.drift is not None and item.identity not in report.drift.newly:
            yield item

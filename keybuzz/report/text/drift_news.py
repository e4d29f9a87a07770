"""What the newest drift run found against the run before, as the page shows it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keybuzz.model.reports.drift import DriftItem, Kind, Standing
from keybuzz.report.page.past import DriftNews
from keybuzz.report.text.status import ago

Moment = Callable[[float | None], str]
_TONES = {
    Standing.NEW: "warn",
    Standing.STILL: "none",
    Standing.UNSEEN: "unknown",
    Standing.ACCEPTED: "none",
    Standing.GONE: "ok",
}
"""In the order in which they are shown, and the colour of each."""
_MEANS = {
    Standing.NEW: "the run before did not have it",
    Standing.STILL: "it was there before",
    Standing.UNSEEN: "it was there, and this run could not look",
    Standing.ACCEPTED: "it stays as it is for now: policies.yaml says why",
    Standing.GONE: "it was there, this run looked, and it is not there any more",
}
_WORDS = {
    Kind.DIFFERS: "not as described",
    Kind.STRAY: "not described",
    Kind.SILENT: "could not be asked",
}
_SHOWN = 6
"""Rows that are shown at once of what is no news; more are folded away."""


@dataclass(frozen=True, slots=True)
class DriftRow:
    """The same thing on one or many hosts."""

    thing: str
    words: str
    since: str
    """Since when it is there; empty for what is new."""
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DriftGroup:
    """All that stands alike against the run before."""

    word: str
    means: str
    tone: str
    count: int
    rows: tuple[DriftRow, ...]
    folded: bool
    """True where a long list would hide what is new."""


def drift_groups(news: DriftNews, moment: Moment) -> tuple[DriftGroup, ...]:
    """Return what is new, what is still there, what could not be looked at and what has gone; none of them empty."""
    count = Counter(item.standing for item in news.items)
    groups = []
    for standing, tone in _TONES.items():
        found = [item for item in news.items if item.standing is standing]
        if not found:
            continue
        rows = _rows(found, standing, news, moment)
        folded = standing is not Standing.NEW and len(rows) > _SHOWN
        groups.append(
            DriftGroup(standing.value, _MEANS[standing], tone, count[standing], rows, folded)
        )
    return tuple(groups)


def _rows(
    items: Iterable[DriftItem], standing: Standing, news: DriftNews, moment: Moment
) -> tuple[DriftRow, ...]:
    """Return what has been there longest first; the same on many hosts since the same run is one row."""
    grouped: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for item in items:
        words = f"{_WORDS[item.kind]}: {item.what}" if item.what else _WORDS[item.kind]
        grouped[item.since, item.thing or item.kind.value, words].append(item.place)
    return tuple(
        DriftRow(thing, words, _since(since, standing, news, moment), tuple(sorted(places)))
        for (since, thing, words), places in sorted(grouped.items())
    )


def _since(run: int, standing: Standing, news: DriftNews, moment: Moment) -> str:
    """Say since when it is there, or was; a run that the journal has forgotten has its number only."""
    if standing is Standing.NEW:
        return ""
    began = news.began.get(run)
    first = f"run {run}" if began is None else f"run {run}, {moment(began)}"
    if standing is Standing.GONE:
        return f"was there from {first}, to run {news.before}"
    span = "" if began is None else f" ({ago(news.moment - began).removesuffix(' ago')})"
    return f"since {first}{span}"

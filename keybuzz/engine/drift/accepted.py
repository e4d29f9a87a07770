"""Which differences `kbz drift` takes as accepted, by policies.yaml. Pure.

An entry is about one state: the digest of what was there when it was accepted. What has changed since, and what is
past its last day, is drift as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.reports.drift import DriftItem, Kind, Standing
from keybuzz.site.accepted import Accepted
from keybuzz.site.policies import Policies

_KEY_ID = b"\0id of the digest key"
"""Nothing that is compared begins so."""
_PRESENT = (Standing.NEW, Standing.STILL)


@dataclass(frozen=True, slots=True)
class Judged:
    """All items, some of them accepted, and what is to be said about the entries."""

    items: tuple[DriftItem, ...]
    newly: frozenset[str]
    warnings: tuple[str, ...]


def state_of(change: Change, key: DigestKey) -> str:
    """Return the digest of what a change would replace; empty when it cannot be read."""
    if change.action is Action.LATER:
        return ""
    seen = [f"{item.attribute}={item.observed!r}" for item in change.differences]
    return digest((change.action.value, *sorted(seen), change.diff), key)


def digest(parts: Iterable[str], key: DigestKey) -> str:
    """Return what stands in policies.yaml: an id of this site's key, and the keyed digest."""
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return f"{_short(key.digest(_KEY_ID), 8)}-{_short(key.digest(joined), 16)}"


def _short(digest: str, digits: int) -> str:
    return digest.partition(":")[2][:digits]


def judge(
    items: Iterable[DriftItem], before: Iterable[DriftItem], policies: Policies, today: date
) -> Judged:
    """Return the items with those accepted that an entry names in this very state."""
    entries = {entry.difference: entry for entry in policies.accepted}
    known = {item.identity for item in before if item.standing is Standing.ACCEPTED}
    judged = tuple(_judged(item, entries.get(item.identity), today) for item in items)
    accepted = {item.identity for item in judged if item.standing is Standing.ACCEPTED}
    return Judged(judged, frozenset(accepted - known), tuple(_warnings(judged, policies, today)))


def _judged(item: DriftItem, entry: Accepted | None, today: date) -> DriftItem:
    if entry is None or item.standing not in _PRESENT:
        return item
    if entry.counts(today) and item.state == entry.state:
        return replace(item, standing=Standing.ACCEPTED)
    return item


def _warnings(items: tuple[DriftItem, ...], policies: Policies, today: date) -> Iterator[str]:
    """Yield what an entry does not do any more: it is said at each run, until the file is edited."""
    standing = {item.identity: item for item in items}
    for entry in policies.accepted:
        item = standing.get(entry.difference)
        where = f"{policies.source}:{entry.line}: {entry.difference}"
        if item is None or item.standing in (Standing.ACCEPTED, Standing.UNSEEN):
            continue
        if item.standing is Standing.GONE:
            yield f"{where} is not there any more: delete the entry"
        elif item.state.partition("-")[0] != entry.state.partition("-")[0]:
            yield f"{where} was accepted under another digest key (of another state folder): accept it again"
        elif not entry.counts(today):
            yield f"{where} was accepted until {entry.until}: it is drift again"
        else:
            yield f"{where} is not what was accepted on {entry.decided}: it has changed since"


def chosen(items: Iterable[DriftItem], patterns: Iterable[str]) -> dict[str, tuple[DriftItem, ...]]:
    """Return, by pattern of ids, what of it is there now and can be accepted."""
    there = [
        item
        for item in items
        if item.standing in (*_PRESENT, Standing.ACCEPTED) and item.kind is not Kind.SILENT
    ]
    return {
        pattern: tuple(item for item in there if fnmatchcase(item.identity, pattern))
        for pattern in patterns
    }

"""backup-01 with its archive, as the engine sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.backup import MODULE, values
from tasks.backup.desired import ARCHIVE, SOURCE
from tasks.backup.store.archive import CATALOGUE, THERE
from tasks.backup.store.services import SERVICES
from tests.unit.support.site_values import described, memory_site

HOST = "backup-01"
UNIT_ID = f"systemd-unit:{values.UNIT}"
SLOT_ID = f"patroni-slot:{values.SLOT}"
SYSTEM = "7311111111111111111"
NOW = 1_800_000_000.0
STORED = tuple(one.service for one in SERVICES)
HOUR, DAY = 3600.0, 86400.0
STREAMING = {
    "accepted": True,
    "reason": "",
    "row": [SYSTEM, "true", "reserved", "16777216", "true", "10240"],
}


def entry(name: str = "20270114T030000", **other: object) -> dict[str, object]:
    """Return a good backup of an hour ago, as backup-01 tells it."""
    return {
        "id": name,
        "status": "DONE",
        "begin": NOW - 2 * HOUR,
        "end": NOW - HOUR,
        "size": 1 << 30,
        "begin_wal": "000000010000000000000003",
        "end_wal": "000000010000000000000003",
        "system": SYSTEM,
        "verified": NOW - DAY,
        "wrong": "",
        **other,
    }


def archive(*backups: Mapping[str, object], **other: object) -> dict[str, object]:
    """Return the answer about an archive with these backups."""
    return {
        "backups": list(backups),
        "wals": 12,
        "last_wal": "00000001000000000000000E",
        "last_wal_at": NOW - HOUR,
        "missing": [],
        "last_missing": "",
        "restored": NOW - 5 * DAY,
        "since": NOW - 90 * DAY,
        "now": NOW,
        "total": 200 << 30,
        "free": 150 << 30,
        **other,
    }


def kept(service: str, copy: str = "0123456789abcdef", **other: object) -> dict[str, object]:
    """Return a good backup in the repository of an hour ago, as backup-01 lists it."""
    return {
        "id": copy,
        "service": service,
        "cluster": "kb-redis-master" if service == "redis" else "",
        "source": "somewhere-02",
        "began": NOW - HOUR - 5,
        "ended": NOW - HOUR,
        "size": 1 << 20,
        "verified": NOW - DAY,
        "wrong": "",
        **other,
    }


def catalogue(*copies: Mapping[str, object], **other: object) -> str:
    """Return the list of the repository with these backups."""
    restored = dict.fromkeys(STORED, NOW - 5 * DAY)
    found = {"format": 1, "since": NOW - 90 * DAY, "copies": copies, "restored": restored, **other}
    return json.dumps(found)


def in_repository(*copies: Mapping[str, object], **other: object) -> dict[str, Answer]:
    """Return the answers about a repository with these backups."""
    return listed(catalogue(*copies, **other))


def listed(text: str) -> dict[str, Answer]:
    """Return the answers about a repository with this list; none where it is empty."""
    names = ["repository", "catalogue.json"] if text else []
    return {
        THERE: Answer(THERE, {"there": True, "names": names}),
        CATALOGUE: Answer(CATALOGUE, {"text": text}),
    }


def live(
    said: Any = None,
    source: Any = STREAMING,
    states: Mapping[str, State] | None = None,
    *,
    away: bool = False,
    repository: Mapping[str, Answer] | None = None,
) -> Live:
    """Return backup-01 with these answers; what is not among the states is absent."""
    site = memory_site()
    known = {HOST: described(site, MODULE)[HOST]}
    wanted = known[HOST].modules["backup"].resources
    given = good() if states is None else states
    found = {r.identity: given.get(r.identity, State(r.identity, False)) for r in wanted}
    answers = {
        name: value if isinstance(value, Answer) else Answer(name, value)
        for name, value in ((ARCHIVE, said or archive(entry())), (SOURCE, source))
    }
    kept_there = in_repository(*map(kept, STORED)) if repository is None else repository
    answers.update(kept_there)
    snapshot = (
        Snapshot({}, {HOST: "no route"}) if away else Snapshot({HOST: Observation(found, answers)})
    )
    return View(known, snapshot, frozenset(known), site.digest_key).live(MODULE, site)


def good() -> dict[str, State]:
    """Return the states of a host that is as described."""
    site = memory_site()
    resources = described(site, MODULE)[HOST].modules["backup"].resources
    return {
        item.identity: State(item.identity, True, dict(item.wanted(site.digest_key)))
        for item in resources
    }


def healthy() -> Live:
    """Return backup-01 in health."""
    return live()

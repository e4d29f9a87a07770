"""The backups of one PostgreSQL cluster, as Barman's own files describe them. Nothing is started for it."""

from __future__ import annotations

import os
import re
import stat
import time
from itertools import chain, islice

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_ID = re.compile(r"[0-9]{8}T[0-9]{6}")
_INFO = re.compile(r"([0-9]{8}T[0-9]{6})-backup\.info")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_SEGMENTS_OF_LOG = 256
"""Files of 16 MiB in one log of WAL: the last eight digits of a name count them."""
_MOST_MISSING = 20
_LARGEST_MARK = 4096


def answer_backups(query: dict[str, Any], context: Context) -> dict[str, object]:
    """Answer the fields of tasks.backup.readings.BackupsAnswer."""
    del context
    folder, marks = query["folder"], query["marks"]
    if not opener.is_folder(folder):
        return {**_nothing(), **_room(os.path.dirname(folder))}
    backups = [_backup(folder, marks, name) for name in _ids(folder)]
    segments = sorted(_filed(folder))
    good = [backup for backup in backups if backup["status"] == "DONE"]
    first = str(good[0]["begin_wal"]) if good else ""
    gaps = list(_gaps(segments, first))
    return {
        "backups": backups,
        "wals": len(segments),
        "last_wal": segments[-1] if segments else "",
        "last_wal_at": _written(folder, segments[-1]) if segments else 0.0,
        "missing": list(islice(chain.from_iterable(map(_names_in, gaps)), _MOST_MISSING)),
        "last_missing": max((_name(timeline, last) for timeline, _, last in gaps), default=""),
        "restored": _mark(os.path.join(marks, "restored"))[0],
        "since": _made(folder),
        **_room(folder),
    }


def _nothing() -> dict[str, object]:
    return {
        "backups": [],
        "wals": 0,
        "last_wal": "",
        "last_wal_at": 0.0,
        "missing": [],
        "last_missing": "",
        "restored": 0.0,
        "since": time.time(),
    }


def _made(folder: str) -> float:
    """Return when Barman made the archive: nothing comes into this folder of it as long as WAL is streamed."""
    try:
        return opener.status(os.path.join(folder, "incoming")).st_mtime
    except FileNotFoundError:
        return time.time()  # it has not begun yet: that it does not is another check's matter


def _room(folder: str) -> dict[str, object]:
    with opener.place(os.path.join(folder, "x")) as place:
        found = os.fstatvfs(place.folder)
    return {
        "now": time.time(),
        "total": found.f_blocks * found.f_frsize,
        "free": found.f_bavail * found.f_frsize,
    }


def _ids(folder: str) -> list[str]:
    """Return the ids of all base backups, the oldest first: an id is the time at which it began."""
    described = {m[1] for name in _names(os.path.join(folder, "meta")) if (m := _INFO.match(name))}
    kept = {name for name in _names(os.path.join(folder, "base")) if _ID.fullmatch(name)}
    return sorted(described | kept)


def _names(folder: str) -> list[str]:
    return opener.names(folder) if opener.is_folder(folder) else []


def _backup(folder: str, marks: str, name: str) -> dict[str, object]:
    said = _described(folder, name)
    verified, wrong = _mark(os.path.join(marks, f"verified-{name}"))
    return {
        "id": name,
        "status": said.get("status", "EMPTY"),
        "begin": _moment(said.get("begin_time", "")),
        "end": _moment(said.get("end_time", "")),
        "size": int(said["size"]) if said.get("size", "").isdecimal() else 0,
        "begin_wal": said.get("begin_wal", ""),
        "end_wal": said.get("end_wal", ""),
        "system": said.get("systemid", ""),
        "verified": verified,
        "wrong": wrong,
    }


def _described(folder: str, name: str) -> dict[str, str]:
    """Return the lines of a backup's own file; Barman moved it in 3.13.2."""
    for path in (f"{folder}/meta/{name}-backup.info", f"{folder}/base/{name}/backup.info"):
        if opener.is_file(path):
            lines = opener.text(path, opener.SMALL).splitlines()
            return dict(line.split("=", 1) for line in lines if "=" in line)
    return {}


def _moment(text: str) -> float:
    from datetime import datetime  # only where there are backups

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _mark(path: str) -> tuple[float, str]:
    """Return when a mark was written, and what it says: nothing for a good end."""
    try:
        status = opener.status(path)
        said = opener.text(path, _LARGEST_MARK).strip()
    except FileNotFoundError:
        return 0.0, ""
    return status.st_mtime, said


def _filed(folder: str) -> Iterator[str]:
    """Yield the name of each whole file of WAL: it lies in a folder of its log."""
    wals = os.path.join(folder, "wals")
    if not opener.is_folder(wals):
        return
    for name, kind in opener.entries(wals):
        if kind == stat.S_IFDIR and re.fullmatch(r"[0-9A-F]{16}", name):
            for file in opener.names(os.path.join(wals, name)):
                if _SEGMENT.fullmatch(file):
                    yield file


def _gaps(segments: list[str], first: str) -> Iterator[tuple[str, int, int]]:
    """Yield what is missing between the files from `first` on: a timeline, and the first and last number of a gap.

    A failover begins another timeline, at any place up to the file after the last of the one before. So at a failover
    a gap is seen only where it goes beyond every file before it, and its files bear the name of the older timeline.
    """
    if first and segments and first not in segments:
        yield first[:8], _number(first), _number(first)
    highest, before = -1, ""
    for name in segments:
        if name < first:
            continue
        number, timeline = _number(name), name[:8]
        seen = highest if timeline != before[:8] else _number(before)
        if before and number > seen + 1:
            yield before[:8], seen + 1, number - 1
        highest, before = max(highest, number), name


def _names_in(gap: tuple[str, int, int]) -> Iterator[str]:
    timeline, first, last = gap
    return (_name(timeline, number) for number in range(first, last + 1))


def _written(folder: str, segment: str) -> float:
    """Return when the last byte of a filed segment came; 0 where retention has removed it meanwhile."""
    try:
        return opener.status(os.path.join(folder, "wals", segment[:16], segment)).st_mtime
    except FileNotFoundError:
        return 0.0


def _number(segment: str) -> int:
    log, file = int(segment[8:16], 16), int(segment[16:], 16)
    if file >= _SEGMENTS_OF_LOG:
        raise AgentError(f"{segment} is no name of a WAL file of 16 MiB")
    return log * _SEGMENTS_OF_LOG + file


def _name(timeline: str, number: int) -> str:
    return f"{timeline}{number // _SEGMENTS_OF_LOG:08X}{number % _SEGMENTS_OF_LOG:08X}"

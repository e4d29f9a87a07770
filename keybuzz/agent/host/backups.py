"""The backups of one PostgreSQL cluster, as Barman's own files describe them. Nothing is started for it."""

from __future__ import annotations

import os
import re
import stat
import time
from itertools import pairwise

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ID = re.compile(r"[0-9]{8}T[0-9]{6}")
_INFO = re.compile(r"([0-9]{8}T[0-9]{6})-backup\.info")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_SEGMENTS_OF_LOG = 256
"""Files of 16 MiB in one log of WAL: the last eight digits of a name count them."""
_MOST_MISSING = 20
_LARGEST_MARK = 4096


def look(query: dict[str, Any]) -> dict[str, object]:
    """Answer the fields of keybuzz.model.services.backups.BackupsAnswer."""
    folder, marks = query["folder"], query["marks"]
    if not opener.is_folder(folder):
        return {**_nothing(), **_room(os.path.dirname(folder))}
    backups = [_backup(folder, marks, name) for name in _ids(folder)]
    segments = sorted(_filed(folder))
    good = [backup for backup in backups if backup["status"] == "DONE"]
    first = str(good[0]["begin_wal"]) if good else ""
    return {
        "backups": backups,
        "wals": len(segments),
        "last_wal": segments[-1] if segments else "",
        "missing": _missing(segments, first)[:_MOST_MISSING],
        "restored": _mark(os.path.join(marks, "restored"))[0],
        "since": _made(folder),
        **_room(folder),
    }


def _nothing() -> dict[str, object]:
    return {
        "backups": [],
        "wals": 0,
        "last_wal": "",
        "missing": [],
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


def _missing(segments: list[str], first: str) -> list[str]:
    """Return what is missing between the files from `first` on; each timeline is a row of its own."""
    absent: list[str] = []
    if first and segments and first not in segments:
        absent.append(first)
    known = [name for name in segments if name >= first]
    for earlier, later in pairwise(known):
        if earlier[:8] != later[:8]:
            continue  # a failover begins another timeline, at any place
        number = _number(earlier) + 1
        while number < _number(later) and len(absent) <= _MOST_MISSING:
            absent.append(_name(earlier[:8], number))
            number += 1
    return absent


def _number(segment: str) -> int:
    log, file = int(segment[8:16], 16), int(segment[16:], 16)
    if file >= _SEGMENTS_OF_LOG:
        raise AgentError(f"{segment} is no name of a WAL file of 16 MiB")
    return log * _SEGMENTS_OF_LOG + file


def _name(timeline: str, number: int) -> str:
    return f"{timeline}{number // _SEGMENTS_OF_LOG:08X}{number % _SEGMENTS_OF_LOG:08X}"

"""Collections and their points: in memory, and each change in a log on disk before it is answered."""

from __future__ import annotations

import json
import os
import re
import threading
import uuid
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[^\\/:*?\"<>|\x00]{1,255}")
_DISTANCES = ("Cosine", "Euclid", "Dot", "Manhattan")
_LARGEST_ID = 2**64


class WrongError(Exception):
    """A request that is refused: the status, and the words of Qdrant."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Storage:
    """All collections. Every method is safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._points: dict[str, dict[Any, dict[str, Any]]] = {}
        (folder / "collections").mkdir(exist_ok=True)
        state = folder / "raft_state.json"
        if not state.exists():
            state.write_text("{}")
        self._log = (folder / "collections" / "log.jsonl").open("ab+")
        self._replay()

    def names(self) -> list[str]:
        """Return the names of all collections."""
        with self._lock:
            return sorted(self._sizes)

    def create(self, name: str, wanted: Any) -> None:
        """Make a collection of one vector for each point."""
        vectors = wanted.get("vectors") if isinstance(wanted, dict) else None
        size = vectors.get("size") if isinstance(vectors, dict) else None
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise WrongError(400, "Format error in JSON body: vectors.size is not in 1..=65536")
        if vectors["distance"] not in _DISTANCES:
            raise WrongError(400, "Format error in JSON body: unknown variant of distance")
        if not _NAME.fullmatch(name):
            raise WrongError(400, "Wrong input: collection name cannot contain that")
        with self._lock:
            if name in self._sizes:
                raise WrongError(409, f"Wrong input: Collection `{name}` already exists!")
            self._write({"create": name, "size": size})

    def delete(self, name: str) -> None:
        """Remove a collection with its points."""
        with self._lock:
            self._known(name)
            self._write({"delete": name})

    def count(self, name: str) -> int:
        """Return how many points a collection holds."""
        with self._lock:
            return len(self._known(name))

    def upsert(self, name: str, points: Any) -> None:
        """Put points; each has an id, a vector of the collection's size, and a payload or none."""
        if not isinstance(points, list) or not points:
            raise WrongError(422, "Validation error in JSON body: [points: empty]")
        with self._lock:
            self._known(name)
            for point in points:
                self._judge(name, point)
            self._write({"upsert": name, "points": points})

    def scroll(self, name: str, limit: int, offset: Any) -> tuple[list[dict[str, Any]], Any]:
        """Return points in the order of their ids from `offset` on, and the id of the next one or None."""
        with self._lock:
            held = self._known(name)
            ids = sorted(held, key=_order)
            if offset is not None:
                ids = [one for one in ids if _order(one) >= _order(offset)]
            more = ids[limit] if len(ids) > limit else None
            return [held[one] for one in ids[:limit]], more

    def close(self) -> None:
        """Close the log."""
        with self._lock:
            self._log.close()

    def _judge(self, name: str, point: Any) -> None:
        number = point.get("id") if isinstance(point, dict) else None
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not (whole and 0 <= number < _LARGEST_ID) and not _is_uuid(number):
            raise WrongError(
                400,
                f"Format error in JSON body: value {number} is not a valid point ID, "
                "valid values are either an unsigned integer or a UUID",
            )
        vector, size = point.get("vector"), self._sizes[name]
        if not isinstance(vector, list) or len(vector) != size:
            got = len(vector) if isinstance(vector, list) else 0
            raise WrongError(
                400, f"Wrong input: Vector dimension error: expected dim: {size}, got {got}"
            )

    def _known(self, name: str) -> dict[Any, dict[str, Any]]:
        if name not in self._sizes:
            raise WrongError(404, f"Not found: Collection `{name}` doesn't exist!")
        return self._points[name]

    def _write(self, change: dict[str, Any]) -> None:
        """Put a change into the log, then apply it."""
        self._log.write(json.dumps(change).encode() + b"\n")
        self._log.flush()
        os.fsync(self._log.fileno())
        self._apply(change)

    def _replay(self) -> None:
        """Apply the log; a last line that was cut off was never answered."""
        self._log.seek(0)
        whole = 0
        for line in self._log:
            if not line.endswith(b"\n"):
                break
            self._apply(json.loads(line))
            whole += len(line)
        self._log.truncate(whole)
        self._log.seek(0, os.SEEK_END)

    def _apply(self, change: dict[str, Any]) -> None:
        if "create" in change:
            self._sizes[change["create"]] = change["size"]
            self._points[change["create"]] = {}
        elif "delete" in change:
            del self._sizes[change["delete"]], self._points[change["delete"]]
        else:
            held = self._points[change["upsert"]]
            for point in change["points"]:
                held[point["id"]] = {"id": point["id"], "payload": point.get("payload") or {}}


def _order(number: Any) -> tuple[bool, Any]:
    return isinstance(number, str), number


def _is_uuid(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(uuid.UUID(text))
    except ValueError:
        return False

"""One drive: its format.json, and versions of objects, each in a file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

Meta = dict[str, Any]
"""One version: bucket, key ("" for the bucket itself), version, changed (ns), purged, and what S3 shows of it."""
SYSTEM = ".minio.sys"
_LONGEST = 200


class DamagedError(Exception):
    """What lies on the drive is not ours, or can not be read."""


class Drive:
    """Everything that one node keeps. Newer versions win, so that copies can be merged in any order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._index: dict[tuple[str, str], dict[str, Meta]] = {}
        self._load()

    # Identity.

    def format(self) -> dict[str, Any] | None:
        """Return format.json, or None on a fresh drive; DamagedError when it says nothing."""
        try:
            found: dict[str, Any] = json.loads((self.path / SYSTEM / "format.json").read_text())
            if found["format"] != "xl" or not found["id"] or not found["xl"]["this"]:
                raise DamagedError(f"{self.path} is formatted as {found['format']}")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"format.json of {self.path} can not be read: {error}") from error
        return found

    def adopt(self, form: dict[str, Any]) -> None:
        """Give a fresh drive its place; never overwrites another."""
        with self._lock:
            if self.format() is None:
                _write(self.path / SYSTEM / "format.json", json.dumps(form).encode())

    @property
    def healing(self) -> bool:
        """True while a replaced drive has not got everything from the others."""
        return (self.path / SYSTEM / "healing").exists()

    def heals(self, now: bool) -> None:
        """Remember across a restart whether it heals."""
        mark = self.path / SYSTEM / "healing"
        if now:
            _write(mark, b"")
        else:
            mark.unlink(missing_ok=True)

    # Versions.

    def store(self, meta: Meta, data: bytes) -> None:
        """Keep a version, on disk when this returns; an older one than what is there changes nothing."""
        place = (meta["bucket"], meta["key"])
        with self._lock:
            old = self._index.get(place, {}).get(meta["version"])
            if old is None or old["changed"] < meta["changed"]:
                content = json.dumps(meta).encode() + b"\n" + data
                # A removal that a power cut takes back has lost nothing.
                _write(self._file(meta), content, durable=not meta["purged"])
                self._index.setdefault(place, {})[meta["version"]] = meta

    def versions(self, bucket: str, key: str) -> list[Meta]:
        """Return all versions of one object, or of the bucket itself for an empty key."""
        with self._lock:
            return list(self._index.get((bucket, key), {}).values())

    def index(self, bucket: str | None = None) -> list[Meta]:
        """Return every version of a bucket's objects, or of everything."""
        with self._lock:
            return [
                meta
                for (found, key), versions in self._index.items()
                if bucket is None or (found == bucket and key)
                for meta in versions.values()
            ]

    def data(self, meta: Meta) -> bytes:
        """Return the content of a version."""
        with self._lock:
            return self._file(meta).read_bytes().partition(b"\n")[2]

    def _file(self, meta: Meta) -> Path:
        if not meta["key"]:
            return self.path / SYSTEM / "buckets" / meta["bucket"] / "bucket.meta"
        name = quote(meta["key"], safe="")
        if len(name) > _LONGEST:
            name = hashlib.sha256(name.encode()).hexdigest()
        return self.path / meta["bucket"] / name.replace(".", "%2E") / f"{meta['version']}.xl"

    def _load(self) -> None:
        files = [
            *self.path.glob("[!.]*/*/*.xl"),
            *self.path.glob(f"{SYSTEM}/buckets/*/bucket.meta"),
        ]
        for file in files:
            meta: Meta = json.loads(file.read_bytes().partition(b"\n")[0])
            self._index.setdefault((meta["bucket"], meta["key"]), {})[meta["version"]] = meta


def _write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that a power cut leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{threading.get_ident()}")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    new.replace(path)
    if not durable:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""A snapshot of etcd as K3s saves it: whole by its own checksum, readable page by page, and opened by its token.

It runs on backup-01. etcd ends a snapshot with the SHA-256 of what is before, and refuses to restore one whose
checksum differs. The rest is a file of bbolt; K3s finds what its servers need to start in it under a key that is made
of the token. Exit codes as the repository's.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

DAMAGED = 65
SNAPSHOT, TOKEN = "snapshot.db", "token"
_COUNTS = "kbz.counts.json"
_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF = 0x01, 0x02
_PAGE = struct.Struct("<QHHI")
"""Id, flags, count, further pages."""
_META = struct.Struct("<IIIIQQQQQQ")
"""Magic, version, page size, flags, root page, sequence, free list, pages, transaction, checksum."""
_ELEMENT = struct.Struct("<IIII")
"""Of a leaf: flags, position, sizes of key and value."""
_CHILD = struct.Struct("<IIQ")
"""Of a branch: position, size of the key, page."""
_BUCKET = struct.Struct("<QQ")
_IS_BUCKET = 0x01
_REVISION = struct.Struct(">qcq")
_DEEPEST = 64
_BLOCK = 512


class DamageError(Exception):
    """The files do not hold what was taken."""


class Bolt:
    """The pages of a file of bbolt."""

    def __init__(self, content: mmap, size: int) -> None:
        """Take the newer of its two heads that are whole."""
        self._content = content
        self._size = size
        heads = [head for place in (0, self._second()) if (head := self._head(place))]
        if not heads:
            raise DamageError("it is no database of etcd: no head is whole")
        self._page_size, self._root = max(heads)[1:]

    def _second(self) -> int:
        return int(_META.unpack_from(self._content, _PAGE.size)[2]) if self._size > 128 else 0

    def _head(self, place: int) -> tuple[int, int, int] | None:
        """Return transaction, page size and root page; None for a head that is not whole."""
        if place + _PAGE.size + _META.size > self._size:
            return None
        found = _META.unpack_from(self._content, place + _PAGE.size)
        covered = self._content[place + _PAGE.size : place + _PAGE.size + _META.size - 8]
        whole = found[:2] == (_MAGIC, _VERSION) and found[9] == _fnv(covered)
        return (found[8], found[2], found[4]) if whole else None

    def bucket(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of a bucket at the root, in the order of their keys."""
        for flags, key, value in self._entries(self._root):
            if key == name and flags & _IS_BUCKET:
                root = _BUCKET.unpack_from(value)[0]
                inside = self._entries(root) if root else _leaf(value[_BUCKET.size :], 0)
                yield from ((key, value) for _, key, value in inside)
                return
        raise DamageError(f"it has no bucket {name.decode()}")

    def _entries(self, page: int, depth: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
        start = page * self._page_size
        _, flags, count, more = _PAGE.unpack_from(self._content, start)
        if depth > _DEEPEST:
            raise DamageError("its pages lead to each other")
        if flags & _LEAF:
            yield from _leaf(self._content[start : start + (more + 1) * self._page_size], depth)
        elif flags & _BRANCH:
            for number in range(count):
                at = start + _PAGE.size + number * _CHILD.size
                yield from self._entries(_CHILD.unpack_from(self._content, at)[2], depth + 1)
        else:
            raise DamageError(f"page {page} is neither a branch nor a leaf")


def _leaf(page: bytes, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
    del depth
    for number in range(_PAGE.unpack_from(page)[2]):
        at = _PAGE.size + number * _ELEMENT.size
        flags, position, of_key, of_value = _ELEMENT.unpack_from(page, at)
        start = at + position
        if start + of_key + of_value > len(page):
            raise DamageError("an entry goes beyond its page")
        yield flags, page[start : start + of_key], page[start + of_key : start + of_key + of_value]


def _fnv(data: bytes) -> int:
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found


def living(bolt: Bolt) -> tuple[set[bytes], int]:
    """Return the keys that are there, and the revision of the last change."""
    keys: set[bytes] = set()
    revision = 0
    for mark, value in bolt.bucket(b"key"):
        revision = _REVISION.unpack_from(mark)[0]
        key = _key_of(value)
        if mark.endswith(b"t") and len(mark) > _REVISION.size:
            keys.discard(key)
        else:
            keys.add(key)
    return keys, revision


def _key_of(value: bytes) -> bytes:
    """Return the key of one change: the first field of its message."""
    if value[:1] != b"\x0a":
        raise DamageError("a change names no key")
    length = shift = 0
    at = 1
    while True:
        length |= (value[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if value[at - 1] < 0x80:
            return value[at : at + length]


def storage_key(token: str) -> bytes:
    """Return where K3s keeps what only this token opens; of a token in its long form the password counts."""
    password = token.rpartition("::")[2].partition(":")[2] if token.startswith("K10") else token
    return b"/bootstrap/" + hashlib.sha256(password.encode()).hexdigest()[:12].encode()


def counted(folder: Path) -> dict[str, int]:
    """Return how many keys the snapshot has, and its revision. DamageError where it or its token is not whole."""
    path = folder / SNAPSHOT
    size = path.stat().st_size
    trailer = hashlib.sha256().digest_size
    if size <= trailer or size % _BLOCK != trailer:
        raise DamageError("the snapshot does not end with a checksum: it was not saved whole")
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        found = hashlib.sha256()
        for at in range(0, size - trailer, 1 << 20):
            found.update(content[at : min(at + (1 << 20), size - trailer)])
        if found.digest() != content[size - trailer :]:
            raise DamageError("the snapshot is not what etcd saved: its checksum differs")
        try:
            keys, revision = living(Bolt(content, size - trailer))
        except (struct.error, IndexError, RecursionError) as error:
            raise DamageError(f"the snapshot cannot be read: {type(error).__name__}") from error
    token = (folder / TOKEN).read_text(encoding="utf-8").strip()
    if not token or storage_key(token) not in keys:
        raise DamageError("the token next to it does not open it: K3s could not start from it")
    return {"keys": len(keys), "revision": revision}


def prove(folder: Path) -> None:
    """Count what is there; where it was counted before, it must be the same."""
    found, noted = counted(folder), folder / _COUNTS
    if not noted.exists():
        noted.write_text(json.dumps(found), encoding="utf-8")
    elif json.loads(noted.read_text(encoding="utf-8")) != found:
        raise DamageError(f"it holds {found}, and other counts are noted")


def main(secret: str, words: list[str]) -> int:
    """Prove one folder, and return the exit code."""
    del secret
    try:
        prove(Path(words[0]))
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (OSError, ValueError) as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0

"""A file of bbolt as etcd writes one: its heads, and one bucket of changes; and the keys that are in it.

`etcdctl snapshot status` and `restore` of Debian 12's etcd-client (3.4) read what is written here.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

PAGE = 4096
_HEAD = struct.Struct("<QHHI")
_META = struct.Struct("<IIIIQQQQQQ")
_ELEMENT = struct.Struct("<IIII")
_BUCKET = struct.Struct("<QQ")
_REVISION = struct.Struct(">qcq")
_LEAF, _OF_META, _FREE = 0x02, 0x04, 0x10
_EMPTY = _BUCKET.pack(0, 0) + _HEAD.pack(0, _LEAF, 0, 0)
_BUCKETS = (
    *("alarm", "auth", "authRoles", "authUsers", "cluster", "key"),
    *("lease", "members", "members_removed", "meta"),
)


def snapshot(found: Mapping[str, bytes], gone: tuple[str, ...] = ()) -> bytes:
    """Return the file of these keys, some of them deleted since, with the checksum that etcd puts behind it."""
    changes = [
        (_REVISION.pack(number, b"_", 0), _change(name.encode(), value, number))
        for number, (name, value) in enumerate(sorted(found.items()), 2)
    ]
    changes += [
        (_REVISION.pack(number, b"_", 0) + b"t", _deletion(name.encode()))
        for number, name in enumerate(gone, len(found) + 2)
    ]
    keys = _leaf(4, 0, changes)
    last = 4 + len(keys) // PAGE
    buckets = [
        (name.encode(), _BUCKET.pack(4, 0) if name == "key" else _EMPTY) for name in _BUCKETS
    ]
    root = _leaf(3, 0x01, buckets)
    free = _HEAD.pack(2, _FREE, 0, 0).ljust(PAGE, b"\0")
    heads = b"".join(_meta(number, last) for number in (0, 1))
    content = heads + free + root + keys
    return content + hashlib.sha256(content).digest()


def keys(content: bytes) -> dict[str, bytes]:
    """Return what is in such a file; ValueError where its checksum is another."""
    body, told = content[:-32], content[-32:]
    if len(content) % 512 != 32 or hashlib.sha256(body).digest() != told:
        raise ValueError(f"expected sha256 {told.hex()}, got {hashlib.sha256(body).hexdigest()}")
    start = 4 * PAGE
    found = {}
    for number in range(_HEAD.unpack_from(body, start)[2]):
        at = start + _HEAD.size + number * _ELEMENT.size
        _, position, of_key, of_value = _ELEMENT.unpack_from(body, at)
        begin = at + position + of_key
        name, value = _parsed(body[begin : begin + of_value])
        found[name] = value
    return found


def _leaf(number: int, flags: int, entries: list[tuple[bytes, bytes]]) -> bytes:
    table, data = b"", b""
    size = len(entries) * _ELEMENT.size
    for place, (key, value) in enumerate(entries):
        position = size - place * _ELEMENT.size + len(data)
        table += _ELEMENT.pack(flags, position, len(key), len(value))
        data += key + value
    length = _HEAD.size + len(table) + len(data)
    more = -(-length // PAGE) - 1
    page = _HEAD.pack(number, _LEAF, len(entries), more) + table + data
    return page.ljust((more + 1) * PAGE, b"\0")


def _meta(number: int, last: int) -> bytes:
    head = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, 3, 0, 2, last, number)
    checksum = 0xCBF29CE484222325
    for byte in head:
        checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
    page = _HEAD.pack(number, _OF_META, 0, 0) + head + struct.pack("<Q", checksum)
    return page.ljust(PAGE, b"\0")


def _change(name: bytes, value: bytes, revision: int) -> bytes:
    """Return the message of one change: key, revisions, version, value."""
    number = _varint(revision)
    return (
        b"\x0a"
        + _varint(len(name))
        + name
        + b"\x10"
        + number
        + b"\x18"
        + number
        + b"\x20\x01"
        + b"\x2a"
        + _varint(len(value))
        + value
    )


def _deletion(name: bytes) -> bytes:
    """Return the message of a deletion, which has the key alone."""
    return b"\x0a" + _varint(len(name)) + name


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _parsed(message: bytes) -> tuple[str, bytes]:
    at, name, value = 0, "", b""
    while at < len(message):
        tag, at = message[at], at + 1
        number, at = _number(message, at)
        if tag & 7 == 2:
            piece, at = message[at : at + number], at + number
            name, value = (piece.decode(), value) if tag >> 3 == 1 else (name, piece)
    return name, value


def _number(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return number, at

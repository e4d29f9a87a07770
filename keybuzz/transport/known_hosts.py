"""Reads the file of pinned host keys, in OpenSSH's format. Nothing here writes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """The keys that a host may show, as (type, base64 blob), and those it must never show."""

    accepted: frozenset[tuple[str, str]]
    revoked: frozenset[str]

    @property
    def types(self) -> frozenset[str]:
        """Key types to ask the host for."""
        return frozenset(kind for kind, _ in self.accepted)

    def accepts(self, blob: str) -> bool:
        """Whether a shown key is one of the pinned keys and not revoked."""
        return blob not in self.revoked and any(blob == pinned for _, pinned in self.accepted)


def pinned_keys(text: str, address: str, port: int) -> PinnedKeys:
    """Return what the text of a known_hosts file says about an address; odd lines are skipped.

    Plain, bracketed (`[host]:port`), hashed and pattern names are understood, and `@revoked`.
    A `@cert-authority` line pins no key.
    """
    name = address if port == 22 else f"[{address}]:{port}"
    accepted: set[tuple[str, str]] = set()
    revoked: set[str] = set()
    for marker, names, kind, blob in _lines(text):
        if not _matches(names, name):
            continue
        if marker == "@revoked":
            revoked.add(blob)
        elif not marker:
            accepted.add((kind, blob))
    return PinnedKeys(frozenset(accepted), frozenset(revoked))


def fingerprint(blob: bytes) -> str:
    """Return `SHA256:…` of a key as OpenSSH prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _lines(text: str) -> Iterator[tuple[str, str, str, str]]:
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) >= 3:
            yield marker, words[0], words[1], words[2]


def _matches(names: str, name: str) -> bool:
    """Whether a field of names, patterns, `!` exceptions or one hash means this name."""
    if names.startswith("|1|"):
        return _hash_matches(names, name)
    found = False
    for pattern in names.lower().split(","):
        if pattern.startswith("!") and _glob(name.lower(), pattern[1:]):
            return False
        found = found or _glob(name.lower(), pattern)
    return found


def _glob(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash_matches(field: str, name: str) -> bool:
    try:
        _, _, salt, digest = field.split("|")
        known = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(known, base64.b64decode(digest))
    except ValueError:
        return False

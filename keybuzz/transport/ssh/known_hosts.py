"""Reads the file of pinned host keys, in OpenSSH's format. Nothing here writes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from keybuzz.transport.shared import shared

_BLANKS = re.compile(r"[ \t]+")
_SPECIAL = frozenset(",*?!|")
"""Characters of a field that is more than one plain name."""


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """The keys that a host may show, as (type, base64 blob), those it must never show, and who may vouch for it."""

    accepted: frozenset[tuple[str, str]]
    revoked: frozenset[str]
    """Also the keys of authorities."""
    authorities: frozenset[str] = frozenset()
    """Keys of `@cert-authority` lines: a certificate that one of them signed stands for a pinned key."""

    @property
    def types(self) -> frozenset[str]:
        """Key types to ask the host for."""
        return frozenset(kind for kind, _ in self.accepted)

    def accepts(self, blob: str) -> bool:
        """Whether a shown key is one of the pinned keys and not revoked."""
        return blob not in self.revoked and any(blob == pinned for _, pinned in self.accepted)


def pinned_keys(text: str, address: str, port: int) -> PinnedKeys:
    """Return what the text of a known_hosts file says about an address; odd lines are skipped.

    Plain, bracketed (`[host]:port`), hashed and pattern names are understood, `@revoked` and `@cert-authority`.
    """
    name = address if port == 22 else f"[{address}]:{port}"
    accepted: set[tuple[str, str]] = set()
    revoked: set[str] = set()
    authorities: set[str] = set()
    known = _known(text)
    for line in (*known.by_name.get(name.lower(), ()), *known.others):
        if not names_match(line.names, name):
            continue
        if line.marker == "@revoked":
            revoked.add(line.blob)
        elif line.marker == "@cert-authority":
            authorities.add(line.blob)
        elif not line.marker:
            accepted.add((line.kind, line.blob))
    return PinnedKeys(frozenset(accepted), frozenset(revoked), frozenset(authorities - revoked))


def fingerprint(blob: bytes) -> str:
    """Return `SHA256:…` of a key as OpenSSH prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class _Line:
    marker: str
    names: str
    kind: str
    blob: str


@dataclass(frozen=True, slots=True)
class _Known:
    """The lines of a file: those that name one host plainly by that name, and all others."""

    by_name: Mapping[str, tuple[_Line, ...]]
    others: tuple[_Line, ...]


@shared
def _known(text: str) -> _Known:
    """Read a file once for all its hosts: each of them would read the lines of all."""
    by_name: dict[str, tuple[_Line, ...]] = {}
    others: list[_Line] = []
    for line in _lines(text):
        name = line.names.lower()
        if _SPECIAL.isdisjoint(name):
            by_name[name] = (*by_name.get(name, ()), line)
        else:
            others.append(line)
    return _Known(by_name, tuple(others))


def _lines(text: str) -> Iterator[_Line]:
    for line in lines_of(text):
        words = words_of(line)
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) >= 3:
            yield _Line(marker, *words[:3])


def lines_of(text: str) -> list[str]:
    """Return the lines of a file with their ends, as OpenSSH sees them: only LF ends one, and no other character."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def words_of(line: str) -> list[str]:
    """Return the words of a line as OpenSSH sees them: spaces and tabs part them, and nothing else."""
    return [word for word in _BLANKS.split(line.rstrip("\r\n")) if word]


def names_match(names: str, name: str) -> bool:
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

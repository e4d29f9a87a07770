"""Forgets the keys of one host in a known_hosts file, in whatever form a line names it. Pure.

A name is plain, bracketed with a port, hashed, or one of several on a line. Lines that name the host by a pattern
belong to other hosts too, and lines with a marker (`@revoked`, `@cert-authority`) pin no key: both stay.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keybuzz.transport.ssh.known_hosts import lines_of, names_match, words_of

_PATTERN = frozenset("*?!")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A file's text without a host's keys."""

    text: str
    found: int
    """Lines that pinned a key of this host and no longer do."""
    patterns: tuple[int, ...]
    """Numbers of the lines, in the old text, that pin a key for it by a pattern."""


def forgotten(text: str, address: str, names: Collection[str], port: int = 22) -> Forgotten:
    """Return the text without the keys of a host, known by its address and its other names.

    A bracketed name goes whatever its port is; of a hashed one only `port` can be recognised.
    """
    lines: list[str] = []
    patterns: list[int] = []
    found = 0
    for number, line in enumerate(lines_of(text), 1):
        kept = _without(line, {address.lower(), *(name.lower() for name in names)}, port)
        found += kept != line
        if kept:
            lines.append(kept)
        if _pins(kept, address):
            patterns.append(number)
    return Forgotten("".join(lines), found, tuple(patterns))


def _without(line: str, names: Collection[str], port: int) -> str:
    """Return the line without these names; empty when it has no other."""
    words = words_of(line)
    if len(words) < 3 or words[0].startswith(("#", "@")):
        return line
    field = words[0]
    if field.startswith("|1|"):
        hashed = any(
            names_match(field, form) for name in names for form in (name, f"[{name}]:{port}")
        )
        return "" if hashed else line
    left = [part for part in field.split(",") if _host(part) not in names]
    if len(left) == len(field.split(",")):
        return line
    return (
        line.replace(field, ",".join(left), 1) if any(not p.startswith("!") for p in left) else ""
    )


def _host(part: str) -> str:
    """Return the host of a plain or bracketed name, in lower case."""
    inside, bracket, _ = part.lower().removeprefix("[").partition("]")
    return inside if part.startswith("[") and bracket else part.lower()


def _pins(line: str, address: str) -> bool:
    words = words_of(line)
    return (
        len(words) >= 3
        and not words[0].startswith(("#", "@"))
        and not _PATTERN.isdisjoint(words[0])
        and names_match(words[0], address)
    )

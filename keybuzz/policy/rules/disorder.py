"""Whether a word looks generated. Calm on purpose: digests, ids, names and pictures are not secret."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

_WORD = re.compile(r"[A-Za-z0-9+/=_-]+")
_HEXADECIMAL = re.compile(r"(?:0x)?[0-9a-f]+(?:-[0-9a-f]+)*|(?:0x)?[0-9A-F]+(?:-[0-9A-F]+)*")
"""Digests, commits and UUIDs."""
_PUBLIC = re.compile(r"^(?:sha\d+[-:=]|AAAA[BCE]|MI[IH][A-Z]|iVBOR|/9j/|R0lGOD|UklGR|h1:)")
"""Integrity values, public keys, certificates, pictures."""
_LONGEST = 200
_DISORDER = 3.3
_CHANGES = 0.33


def is_disordered(text: str, shortest: int) -> bool:
    """Say whether a single word of at least `shortest` characters was made by a generator.

    It has digits and letters, little repetition (bits per character), and changes between small letters,
    capitals and digits far more often than names do.
    """
    if not shortest <= len(text) <= _LONGEST or not _WORD.fullmatch(text):
        return False
    if _HEXADECIMAL.fullmatch(text) or _PUBLIC.match(text):
        return False
    kinds = [_kind(character) for character in text if character.isalnum()]
    if len(set(kinds)) < 2 or "digit" not in kinds or len(kinds) < shortest - 2:
        return False
    changes = sum(a != b for a, b in pairwise(kinds)) / len(kinds)
    floor = min(_DISORDER, math.log2(len(text)) - 0.9)
    return changes >= _CHANGES and _bits(text) >= floor


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "capital" if character.isupper() else "small"


def _bits(text: str) -> float:
    """Shannon's entropy, in bits per character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)

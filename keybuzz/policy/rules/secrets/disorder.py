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
_CHANGES = 0.28
_DIGIT_EDGES = 2
_SALT = (32, 128)
_EACH, _SIGNS, _SALT_BITS = 3, 6, 4.4
_FILLED = re.compile(r"\{\{|[$%#][{(]|<%|://|^[A-Za-z]{3,}[\[:(]")
"""What a template or an address has, and hardly any generator writes."""


def is_disordered(text: str, shortest: int) -> bool:
    """Return whether a single word of at least `shortest` characters was made by a generator.

    It has little repetition (bits per character), and goes from small letters to capitals or digits, and from digits
    to letters, far more often than names do. A capital before small letters only begins a word.
    """
    if not shortest <= len(text) <= _LONGEST or not _WORD.fullmatch(text):
        return False
    if _HEXADECIMAL.fullmatch(text) or _PUBLIC.match(text):
        return False
    pairs = list(pairwise(_kind(character) for character in text))
    changes = sum(a != b and "sign" not in (a, b) and a != "capital" for a, b in pairs)
    changes += pairs.count(("capital", "digit"))
    edges = sum((a == "digit") != (b == "digit") and "sign" not in (a, b) for a, b in pairs)
    floor = min(_DISORDER, math.log2(len(text)) - 0.9)
    return edges >= _DIGIT_EDGES and changes >= _CHANGES * len(text) and _bits(text) >= floor


def is_salt(text: str) -> bool:
    """Return whether a text is a generated phrase with signs of all kinds, such as a salt of WordPress."""
    if not _SALT[0] <= len(text) <= _SALT[1] or not all(map(str.isprintable, text)):
        return False
    kinds = [_kind(character) for character in text]
    signs = {character for character in text if not character.isalnum() and character != " "}
    mixed = min(kinds.count("digit"), kinds.count("small")) >= _EACH and not _FILLED.search(text)
    return mixed and len(signs) >= _SIGNS and _bits(text) >= _SALT_BITS


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    if not character.isalpha():
        return "sign"
    return "capital" if character.isupper() else "small"


def _bits(text: str) -> float:
    """Shannon's entropy, in bits per character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)

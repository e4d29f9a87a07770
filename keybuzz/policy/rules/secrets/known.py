"""The values of the credential store in a line of text, compared as keyed digests."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

from keybuzz.policy.context import KnownSecrets

_SAME = frozenset(sign * 3 for sign in "'`=:@/,;&|<>()[]{}\"")
_EDGE = re.compile(r"[\s\"'`=:@/,;&|<>()\[\]{}]")


def known_values(line: str, known: KnownSecrets) -> Iterator[tuple[int, str]]:
    """Yield offset and name of each credential that is in a line: as it is, in a URL, or in base64."""
    for start, word in _candidates(line, known):
        for form in (word, unquote(word), decoded(word)):
            name = known.name(form) if form else None
            if name is not None:
                yield start, name
                break


def _candidates(line: str, known: KnownSecrets) -> Iterator[tuple[int, str]]:
    """Yield the words of a line, and the stretches with edges inside that are as long as a known value."""
    edges = [-1, *(match.start() for match in _EDGE.finditer(line)), len(line)]
    ends = set(edges)
    shortest = min(known.names)
    for left, right in pairwise(edges):
        if right - left - 1 >= shortest:
            yield left + 1, line[left + 1 : right]
        if line[left + 1 : left + 2] in (" ", "\t", "") or line[left + 1 : left + 4] in _SAME:
            continue  # a run of blanks or of one sign: no value begins there
        for length in known.names:
            end = left + 1 + length
            if end > right and end in ends:
                yield left + 1, line[left + 1 : end]


def decoded(word: str) -> str:
    """Return what a word is in base64, or ""."""
    bare = word.rstrip("=")
    try:
        whole = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        return whole.decode("utf-8").strip("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""

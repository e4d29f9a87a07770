"""Marks of secrets: what is shown in the place of a secret, and whether a value is what such a text was shown for.

A mark has a keyed digest, so that two secrets have two marks: `‹secret:1a2b3c›`.
"""

from __future__ import annotations

from keybuzz.agent import parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MASK = "‹secret›"
"""The mark of a secret of which no digest may be told, or need be."""
_MARKED = "‹secret:"
_END = "›"
_DIGEST = "hmac-sha256:"
_SAID = frozenset({"yes", "no", "on", "off", "true", "false", "none", "null"})
"""Values that are no secret under any name."""
_WHOLE_FILES = (".pgpass",)
_ENDS = "_token.txt"


def is_secret_file(path: str) -> bool:
    """Return whether a file is a secret as a whole: by its name, or because a module says so."""
    name = path.rpartition("/")[2]
    return name in _WHOLE_FILES or name.endswith(_ENDS) or name in parts.table(parts.SECRET_FILES)


def mark(secret: str, key: bytes) -> str:
    """Return the mark of a secret; what is none, or is marked already, stays."""
    if not secret or secret.startswith(_DIGEST) or secret.lower() in _SAID:
        return secret
    if MASK in secret or _MARKED in secret or secret == "(not described)":
        return secret
    return f"{_MARKED}{_digest(secret, key)}{_END}" if key else MASK


def unmarked(text: str) -> str:
    """Return a text in which all marks are alike: for people, who compare two lines and not two digests."""
    if _MARKED not in text:
        return text
    head, *rest = text.split(_MARKED)
    return head + "".join(MASK + piece.partition(_END)[2] for piece in rest)


def same(shown: Any, now: Any, key: bytes) -> bool:
    """Return whether a value is the one that was shown, with marks in the place of its secrets."""
    if isinstance(shown, str) and isinstance(now, str):
        return _same_text(shown, now, key)
    if isinstance(shown, list) and isinstance(now, list):
        return len(shown) == len(now) and all(map(same, shown, now, [key] * len(now)))
    return bool(shown == now)


def _same_text(shown: str, now: str, key: bytes) -> bool:
    """Compare piece by piece; a mark without a digest is any text, one with a digest only the secret that it is of."""
    pieces = shown.replace(MASK, f"{_MARKED}{_END}").split(_MARKED)
    if not now.startswith(pieces[0]):
        return False
    place = len(pieces[0])
    for number, piece in enumerate(pieces[1:], 2):
        digest, _, plain = piece.partition(_END)
        end = len(now) - len(plain) if number == len(pieces) else now.find(plain, place)
        if end < place or not now.endswith(plain, 0, end + len(plain)):
            return False
        if digest and _digest(now[place:end], key) != digest:
            return False
        place = end + len(plain)
    return place == len(now)


def _digest(secret: str, key: bytes) -> str:
    import hashlib
    import hmac

    return hmac.new(key, b"mark\0" + secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[
        :6
    ]

"""SASLprep (RFC 4013) the way PostgreSQL applies it to a password before SCRAM sees it."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(password: str) -> str:
    """Return the normal form that PostgreSQL and its clients compute; a password that has none is used as it is.

    ASCII is left alone, control characters too. As in PostgreSQL, what is forbidden is looked for before normalizing.
    """
    if password.isascii():
        return password
    mapped = "".join(map(_mapped, password))
    return password if _refused(mapped) else unicodedata.normalize("NFKC", mapped)


def _mapped(character: str) -> str:
    if stringprep.in_table_c12(character):  # first: U+200B stands in both tables
        return " "
    return "" if stringprep.in_table_b1(character) else character


def _refused(text: str) -> bool:
    """Return whether RFC 4013 forbids a text: empty, with forbidden characters, or in mixed directions."""
    if not text or any(table(character) for character in text for table in _PROHIBITED):
        return True
    if not any(stringprep.in_table_d1(character) for character in text):
        return False
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return not ends or any(stringprep.in_table_d2(character) for character in text)

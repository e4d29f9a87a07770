"""Text from elsewhere, made safe to show: what a host says can neither steer a terminal nor write lines of its own.

Escapes are spelled as Python and JSON spell them (`\\x1b`, `\\u202e`), so that a reader sees which character was there.
"""

from __future__ import annotations

import unicodedata

LONGEST = 2000
"""Characters of a sentence that holds words of a host."""
_KEPT = "\n\t"


def visible(text: str) -> str:
    """Return a text of any number of lines with every character that a terminal does not show escaped.

    Line ends and tabs stay. Escaped are control characters (C0, C1), marks that turn the direction of writing,
    invisible ones, lone surrogates, and the line separators of Unicode.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(c if c in _KEPT or _shown(c) else _escape(c) for c in text)


def one_line(text: str) -> str:
    """Return a text as one line of at most LONGEST characters and a count of the rest; line ends are escaped too."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… and {len(text) - LONGEST} more characters"
    if text.isprintable():
        return text
    return "".join(c if _shown(c) else _escape(c) for c in text.strip("\r\n"))


def in_one_line(value: object, *names: str) -> None:
    """Make these texts of a frozen dataclass one line each: for its `__post_init__`."""
    for name in names:
        text: str = getattr(value, name)
        if len(text) > LONGEST or not text.isprintable():
            object.__setattr__(value, name, one_line(text))


def json_visible(text: str) -> str:
    """Return JSON text with the same characters as `\\uXXXX` inside its strings; its values stay as they are."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or _shown(c) else _json_escape(c) for c in text)


def _shown(character: str) -> bool:
    """Return True for what is printed, and for the spaces of other scripts."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if short is not None:
        return short
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))

"""Known secrets in texts that come from elsewhere: a program may print what it was given, in its own spelling."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from string import ascii_letters, digits
from typing import Any

from keybuzz.model.core.secret import MASK, Secret

_UNRESERVED = ascii_letters + digits + "-._~"
_SHORTEST = 6
"""Characters. A shorter text stands in too many places that are no secret."""


class Redactor:
    """Replaces secrets by a mask, in every spelling in which programs usually print them."""

    __slots__ = ("_spellings",)

    def __init__(self, secrets: Iterable[Secret]) -> None:
        found = {form for secret in secrets for form in spellings(secret.reveal())}
        # The longest first: a spelling may hold another one.
        self._spellings = sorted(found, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for form in self._spellings:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a value of JSON in which every text is without secrets, names too."""
        every = "\0".join(_texts(value))
        return self._masked(value) if any(form in every for form in self._spellings) else value

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self._masked(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        return value

    def __repr__(self) -> str:
        return "Redactor()"


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value of JSON, names too: one search in all of them is cheaper than one in each."""
    open_values = [value]
    while open_values:
        item = open_values.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            open_values += item.values()
        elif isinstance(item, list):
            open_values += item


def spellings(text: str) -> frozenset[str]:
    """Return how a text looks as it is, in JSON, URLs, shells, SQL, Python and Base64; without outer quotes."""
    forms = {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(text)[1:-1])[1:-1],
        _percent(text, ""),
        _percent(text, "/"),
        _percent(text, "/:@"),
        _percent(text, " ").replace(" ", "+"),
        shlex.quote(text).strip("'"),
        text.replace("'", "'\\''"),
        text.replace("'", "''"),
        text.replace("\\", "\\\\").replace("'", "''"),
        repr(text)[1:-1],
        *_in_base64(text.encode()),
    }
    return frozenset(form for form in forms if len(form) >= _SHORTEST)


def _percent(text: str, kept: str) -> str:
    """Return a text as a part of a URL; letters, digits and `-._~` stay, and the characters that are kept."""
    stay = frozenset((_UNRESERVED + kept).encode())
    return "".join(chr(byte) if byte in stay else f"%{byte:02X}" for byte in text.encode())


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield the characters that are the same whatever stands before and after it, such as `user:`."""
    for before in range(3):
        whole = (before + len(data)) * 8 // 6
        first = -(-before * 8 // 6)
        padded = bytes(before) + data + bytes(3)
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(padded).decode()[first:whole]

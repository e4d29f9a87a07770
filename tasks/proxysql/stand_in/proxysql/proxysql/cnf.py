"""The part of libconfig that proxysql.cnf is written in."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r'\s*(?:(#[^\n]*)|"((?:[^"\\]|\\.)*)"|([\w|.-]+)|([=:;,(){}\[\]]))')


class FormError(Exception):
    """The line that can not be read."""


def parse(text: str) -> dict[str, Any]:
    """Return the settings of a file; FormError with its line number."""
    tokens = _tokens(text)
    found, rest = _settings(tokens, 0, end="")
    if rest != len(tokens):
        raise FormError(str(tokens[rest][2]))
    return found


def _tokens(text: str) -> list[tuple[str, str, int]]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        line = text.count("\n", 0, match.end() if match else place) + 1
        if match is None:
            raise FormError(str(line))
        place = match.end()
        if match[2] is not None:
            found.append(("text", re.sub(r"\\(.)", r"\1", match[2]), line))
        elif match[3]:
            found.append(("word", match[3], line))
        elif match[4]:
            found.append(("sign", match[4], line))
    return found


def _settings(tokens: list[Any], at: int, end: str) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(tokens) and tokens[at][1] != end:
        if tokens[at][0] == "sign" and tokens[at][1] in ",;":
            at += 1
            continue
        if tokens[at][0] != "word" or at + 2 >= len(tokens) or tokens[at + 1][1] not in "=:":
            raise FormError(str(tokens[at][2]))
        found[tokens[at][1]], at = _value(tokens, at + 2)
    return found, at


def _value(tokens: list[Any], at: int) -> tuple[Any, int]:
    kind, text, line = tokens[at]
    if kind != "sign":
        return text, at + 1
    if text == "{":
        found, at = _settings(tokens, at + 1, "}")
        closing = "}"
    elif text in "([":
        closing, at, found = {"(": ")", "[": "]"}[text], at + 1, []
        while at < len(tokens) and tokens[at][1] != closing:
            if tokens[at][1] == ",":
                at += 1
                continue
            item, at = _value(tokens, at)
            found.append(item)
    else:
        raise FormError(str(line))
    if at >= len(tokens) or tokens[at][1] != closing:
        raise FormError(str(line))
    return found, at + 1

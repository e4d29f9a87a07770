"""Environment files, by the parser of python-dotenv: quotes, escapes and comments as the programs read them."""

from __future__ import annotations

import io
import re

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.named import binds_of, images_of
from keybuzz.policy.readers.text import line_settings

_BEFORE = re.compile(r"\s*(?:export\s+)?[^=\s]+\s*=[^\S\n]*(?P<quote>['\"]?)")


def read_environment(path: str, text: str) -> Document:
    """Return the settings of the lines; a line that is no assignment is searched as any text."""
    from dotenv.parser import parse_stream

    found: list[Setting] = []
    for binding in parse_stream(io.StringIO(text, newline="\n")):
        original, line = binding.original.string, binding.original.line
        if binding.error or binding.key is None:
            found += line_settings(original, Place(line))
        elif binding.value is not None:
            found.append(_setting(binding.key, binding.value, original, line))
    settings = tuple(found)
    return Document(
        path,
        Kind.ENVIRONMENT,
        text,
        settings,
        variables=settings,
        binds=binds_of(settings),
        images=images_of(settings),
    )


def _setting(key: str, value: str, original: str, line: int) -> Setting:
    match = _BEFORE.match(original)
    end = match.end() if match else 0
    before = original.count("\n", 0, end)
    column = end - original.rfind("\n", 0, end)
    return Setting((key,), value, Place(line + before, column))

"""The reader of last resort: lines of any text, for what is named and for what is quoted in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.node import START, Place

_COMMENT = re.compile(r"\s*(?:#|//|;|--\s|\*|<!--|%|REM\b|rem\b)")
_NAMED = re.compile(
    r"""(?P<key>[A-Za-z_][\w.-]{0,80})["'\]]{0,2}\s{0,8}(?:=>|:=|==?|:(?!//))\s{0,8}
    (?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|`(?P<back>[^`\n]*)`|(?P<bare>[^\s"'`,;){}\]][^\s"'`,;){}\]]*))""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'|`([^`\n]*)`|>([^<>\n]+)<")
_QUOTES = ('"', "'", "`")
_LONGEST = 4000
"""A longer line is data, and no setting of a person."""


def read_unknown(path: str, text: str, why: str) -> Document:
    """Return the lines of a file that no reader understands; addresses and secrets are still searched."""
    settings = tuple(_with_names(line_settings(text)))
    return Document(path, Kind.UNKNOWN, text, settings=settings, unjudged=why)


def _with_names(settings: Iterable[Setting]) -> Iterator[Setting]:
    """Give a value the name of the line above, as `- name: KEY` and `value: text` have them in templates."""
    before: Setting | None = None
    for setting in settings:
        is_value = before is not None and setting.key == "value" and before.key == "name"
        if is_value and before is not None and setting.place.line == before.place.line + 1:
            yield replace(setting, path=(before.value,))
        else:
            yield setting
        before = setting if setting.key else before


def read_code(path: str, text: str, why: str) -> Document:
    """Return the lines of a program in a language without a grammar here: only what is quoted is a literal."""
    lines = text.split("\n")
    found = [
        setting
        if lines[setting.place.line - 1][: setting.place.column - 1][-1:] in _QUOTES
        else replace(setting, tag="argument")
        for setting in line_settings(text)
    ]
    return Document(path, Kind.UNKNOWN, text, settings=tuple(found), unjudged=why)


def line_settings(text: str, first: Place = START) -> Iterator[Setting]:
    """Yield what the lines of a text name, quote and say; a line that is a comment says nothing."""
    for number, line in enumerate(text.split("\n")):
        start = first.column if number == 0 else 1
        if len(line) <= _LONGEST and not _COMMENT.match(line):
            yield from _line(line, first.line + number, start)


def _line(line: str, number: int, start: int) -> Iterator[Setting]:
    rest = line
    for match in _NAMED.finditer(line):
        kind = next(k for k in ("double", "single", "back", "bare") if match[k] is not None)
        place = Place(number, start + match.start(kind))
        yield Setting((match["key"],), match[kind], place)
        rest = rest[: match.start(kind)] + " " * len(match[kind]) + rest[match.end(kind) :]
    for match in _QUOTED.finditer(rest):
        group = next(n for n in range(1, 5) if match[n] is not None)
        if match[group].strip():
            yield Setting((), match[group], Place(number, start + match.start(group)))
            rest = rest[: match.start(group)] + " " * len(match[group]) + rest[match.end(group) :]
    if rest.strip():
        yield Setting((), rest, Place(number, start))

"""Lines of `name = value` in sections: INI, properties, and the configuration files that look like them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.lines.quoted import unquoted
from keybuzz.policy.readers.named import binds_of, images_of

_LINE = re.compile(
    r"(?:export\s+)?(?P<key>[\w.\[\]\"'/*-]+)(?P<sign>\s*[=:]\s*|\s+)(?P<value>\S.*)?", re.ASCII
)
_SECTION = re.compile(r"\[{1,2}(?P<name>[^\[\]]*)\]{1,2}")
_COMMENTS = ("#", ";", "//", "!")


def read_settings(path: str, text: str) -> Document:
    """Return the settings of the lines; a comment, a section's head or an empty line is none."""
    settings = tuple(ini_settings(text))
    return Document(
        path,
        Kind.SETTINGS,
        text,
        settings,
        variables=settings,
        binds=binds_of(settings),
        images=images_of(settings),
    )


def ini_settings(text: str) -> Iterator[Setting]:
    """Yield the settings in the order of the lines, each under its section; a continued line belongs to its key."""
    section: tuple[str, ...] = ()
    scope, key = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith(_COMMENTS):
            continue
        head = _SECTION.fullmatch(bare.partition(" #")[0].strip())
        if head is not None:
            section, scope, key = (head["name"],), number, ""
            continue
        indent = len(line) - len(line.lstrip())
        match = _LINE.fullmatch(bare)
        if match is None or (indent and key and match["sign"].isspace()):
            yield Setting(
                (*section, key) if key else section, bare, Place(number, indent + 1), scope
            )
        elif match["value"]:
            key = match["key"].strip("\"'")
            value, skipped = unquoted(match["value"].removesuffix("\\"))
            place = Place(number, indent + match.start("value") + 1 + skipped)
            yield Setting((*section, key), value, place, scope)

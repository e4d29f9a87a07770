"""Lines of `NAME=value`: environment files, and configuration files that look like them."""

from __future__ import annotations

import re

from keybuzz.policy.document import Bind, Document, Image, Kind, Place, Setting
from keybuzz.policy.readers.images import looks_like_image

_LINE = re.compile(
    r"(?:export\s+)?(?P<key>[\w.\[\]\"'-]+)(?P<sign>\s*[=:]\s*|\s+)(?P<value>.*)", re.ASCII
)
_BIND_KEY = re.compile(
    r"(?:^|[_.-])(?:bind|listen|ifaces|interfaces)(?:[_.-]?(?:address|addr|host|ip))?(?:es)?$", re.I
)
_IMAGE_KEY = re.compile(r"(?:^|_)image$", re.I)
_ADDRESS = re.compile(r"(?P<address>\d+\.\d+\.\d+\.\d+|\*|\[?::\]?|localhost)(?::(?P<port>\d+))?")


def read_settings(path: str, kind: Kind, text: str) -> Document:
    """Return the settings of the lines; a comment, a section's head or an empty line is none."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        match = _LINE.fullmatch(bare)
        if match is None or bare.startswith(("#", ";", "//", "[")):
            continue
        if kind is Kind.ENVIRONMENT and match["sign"].strip() != "=":
            continue
        value, skipped = unquoted(match["value"])
        place = Place(number, line.index(bare) + match.start("value") + 1 + skipped)
        found.append(Setting(match["key"].strip("\"'"), value, place))
    settings = tuple(found)
    return Document(
        path, kind, text, settings=settings, binds=binds_of(settings), images=images_of(settings)
    )


def unquoted(value: str) -> tuple[str, int]:
    """Return a value without its quotes and the comment behind it, and how many characters stood before."""
    if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
        return value[1 : value.index(value[0], 1)], 1
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip(" ;,"), 0


def binds_of(settings: tuple[Setting, ...]) -> tuple[Bind, ...]:
    """Return the addresses of settings whose names say that something listens there."""
    return tuple(
        Bind(match["address"], match["port"] or "", setting.place)
        for setting in settings
        if _BIND_KEY.search(setting.key)
        for match in _ADDRESS.finditer(setting.value)
    )


def images_of(settings: tuple[Setting, ...]) -> tuple[Image, ...]:
    """Return the values of settings whose names end in IMAGE."""
    named = (setting for setting in settings if _IMAGE_KEY.search(setting.key))
    return tuple(Image(s.value, s.place) for s in named if looks_like_image(s.value))

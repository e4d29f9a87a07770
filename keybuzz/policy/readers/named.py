"""What the names of settings tell, whatever the file: images that are run, and addresses that are listened on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from keybuzz.policy.document import Bind, Image, Setting
from keybuzz.policy.readers.images import looks_like_image

_BIND_KEY = re.compile(
    r"(?:^|[_.-])(?:bind|listen|ifaces|interfaces)(?:[_.-]?(?:address|addr|host|ip))?(?:es)?$", re.I
)
_IMAGE_KEY = re.compile(r"(?:^|[_.-])image$|[a-z]Image$|^Image$", re.I)
_ADDRESS = re.compile(r"(?P<address>\d+\.\d+\.\d+\.\d+|\*|\[?::\]?|localhost)(?::(?P<port>\d+))?")


def binds_of(settings: Iterable[Setting]) -> tuple[Bind, ...]:
    """Return the addresses of settings whose names say that something listens there."""
    return tuple(
        Bind(match["address"], match["port"] or "", setting.place)
        for setting in settings
        if _BIND_KEY.search(setting.key)
        for match in _ADDRESS.finditer(setting.value)
    )


def images_of(settings: Iterable[Setting]) -> tuple[Image, ...]:
    """Return the values of settings whose names end in IMAGE."""
    named = (setting for setting in settings if _IMAGE_KEY.search(setting.key))
    return tuple(Image(s.value, s.place) for s in named if looks_like_image(s.value))

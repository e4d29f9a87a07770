"""HAProxy configurations: what each section listens on, and the servers behind it."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise

from keybuzz.policy.document import Bind, Document, Kind, Setting
from keybuzz.policy.node import Place

SECTIONS = ("global", "defaults", "frontend", "backend", "listen", "resolvers", "userlist", "peers")
_BINDING = ("frontend", "listen")
_SECRET = ("password", "insecure-password", "auth")
_LISTEN = re.compile(r"(?P<address>[\d.]+|\*|\[?[0-9a-f:]*:\]?|)(?::(?P<port>\d+)(?:-\d+)?)", re.I)


def read_haproxy(path: str, text: str) -> Document:
    """Return the binds, each with the addresses of the servers that it leads to."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        words = [(m[0], Place(number, m.start() + 1)) for m in re.finditer(r"\S+", _code(line))]
        if words:
            reader.take(words)
    return Document(path, Kind.HAPROXY, text, tuple(reader.settings), binds=reader.binds())


def _code(line: str) -> str:
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0]


class _Reader:
    """Follows the sections of one file."""

    def __init__(self) -> None:
        self._section = ("", "")
        self._servers: dict[str, list[str]] = defaultdict(list)
        self._leads_to: dict[str, list[str]] = defaultdict(list)
        self._binds: list[tuple[str, Bind]] = []
        self.settings: list[Setting] = []

    def take(self, words: list[tuple[str, Place]]) -> None:
        """Read one line."""
        texts = [text for text, _ in words]
        if texts[0] in SECTIONS:
            self._section = (texts[0], texts[1] if len(texts) > 1 else "")
            if texts[0] == "listen" and len(texts) > 2:
                self._bind(*words[2])
        elif texts[0] == "bind" and self._section[0] in _BINDING and len(texts) > 1:
            for part in texts[1].split(","):
                self._bind(part, words[1][1])
        elif texts[0] in ("server", "server-template") and len(texts) > 2:
            self._servers[self._section[1]].append(texts[2])
            self._set("server", words[2])
        elif texts[0] in ("default_backend", "use_backend") and len(texts) > 1:
            self._leads_to[self._section[1]].append(texts[1])
        else:
            for name, word in pairwise(words):
                if name[0] in _SECRET:
                    self._set(name[0], word)

    def _set(self, name: str, word: tuple[str, Place]) -> None:
        text, place = word
        if name == "auth" and ":" in text:  # stats auth NAME:PASSWORD
            user, _, text = text.partition(":")
            name, place = "password", Place(place.line, place.column + len(user) + 1)
        self.settings.append(Setting((*self._section, name), text, place, place.scope))

    def _bind(self, text: str, place: Place) -> None:
        match = _LISTEN.fullmatch(text.removeprefix("ipv4@").removeprefix("ipv6@"))
        if match is not None:
            bind = Bind(match["address"].strip("[]"), match["port"], place)
            self._binds.append((self._section[1], bind))

    def binds(self) -> tuple[Bind, ...]:
        """Return what was found, each bind with the servers of its own section and of its backends."""
        found = []
        for section, bind in self._binds:
            names = [section, *self._leads_to[section]]
            servers = " ".join(server for name in names for server in self._servers[name])
            found.append(Bind(bind.address, bind.port, bind.place, servers))
        return tuple(found)

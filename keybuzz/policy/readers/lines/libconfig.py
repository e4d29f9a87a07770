"""Configurations in the form of libconfig: settings in groups, lists of groups, nothing quoted twice."""

from __future__ import annotations

import re

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.readers.named import binds_of
from keybuzz.policy.readers.places import Places

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<open>[{(\[])|(?P<close>[})\]])
    |(?P<name>[A-Za-z*][\w*-]*)\s*[=:]|"(?P<text>(?:\\.|[^"\\])*)"|(?P<bare>[\w.+-]+)|(?P<end>[;,])""",
    re.VERBOSE | re.DOTALL,
)


def read_libconfig(path: str, text: str) -> Document:
    """Return the settings, each under the names of its groups; the settings of one group belong together."""
    found: list[Setting] = []
    names: list[str] = []
    groups: list[tuple[str, int]] = []
    places = Places(text)
    for match in _TOKEN.finditer(text):
        if match["name"]:
            names.append(match["name"])
        elif match["open"]:
            groups.append((names.pop() if names else "", match.start() + 1))
        elif match["close"]:
            del groups[-1:]
            names = []
        elif match["text"] is not None or match["bare"]:
            kind = "text" if match["text"] is not None else "bare"
            path_of = (*(name for name, _ in groups if name), *(names[-1:]))
            scope = groups[-1][1] if groups else 0
            found.append(Setting(path_of, match[kind], places.at(match.start(kind)), scope))
            names = []
    settings = tuple(found)
    return Document(path, Kind.LIBCONFIG, text, settings, binds=binds_of(settings))

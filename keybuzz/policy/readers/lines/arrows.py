"""Configurations of `name => value` in braces: Logstash's pipelines and Puppet's manifests."""

from __future__ import annotations

import re

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.readers.named import binds_of, images_of
from keybuzz.policy.readers.places import Places

ARROW = re.compile(r"^[^#\n]*\w[\"']?\s*=>", re.MULTILINE)
"""What a file of this form has."""
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<open>[{\[(])|(?P<close>[}\])])|(?P<arrow>=>)
    |"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<bare>[^\s{}\[\]()"',=]+)""",
    re.VERBOSE | re.DOTALL,
)
_VALUES = ("double", "single", "bare")


def read_arrows(path: str, text: str) -> Document:
    """Return the settings, each under the names of its blocks; the settings of one block belong together."""
    found: list[Setting] = []
    blocks: list[tuple[str, int]] = []
    word, name = "", ""
    """The last word, and the name before the last arrow."""
    places = Places(text)
    for match in _TOKEN.finditer(text):
        if match["arrow"]:
            name = word
        elif match["open"]:
            blocks.append((name or word, match.start() + 1))
            name = name if match[0] == "[" else ""
        elif match["close"]:
            del blocks[-1:]
            name = ""
        elif match.lastgroup in _VALUES:
            word = match[match.lastgroup]
            is_listed = match.lastgroup != "bare" and bool(blocks)
            if name or is_listed:
                place = places.at(match.start(match.lastgroup))
                names = (*(block for block, _ in blocks if block), *((name,) if name else ()))
                found.append(Setting(names, word, place, blocks[-1][1] if blocks else 0))
            name = name if blocks and text[blocks[-1][1] - 1] == "[" else ""
    settings = tuple(found)
    return Document(
        path, Kind.ARROWS, text, settings, binds=binds_of(settings), images=images_of(settings)
    )

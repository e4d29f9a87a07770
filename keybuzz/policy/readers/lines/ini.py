"""Lines of `name = value` in sections: INI, properties, and the configuration files that look like them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.lines.quoted import unquoted
from keybuzz.policy.readers.named import binds_of, images_of

_LINE = re.compile(
    r"(?:export\s+)?(?P<key>[\w.\[\]\"'/*-]+)(?P<sign>\s*[=:]\s*|\s+)(?P<value>\S.*)?", re.ASCII
)
_OPEN = re.compile(r"(?P<key>[\w.-]+)\s*=\s*\\?", re.ASCII)
"""A key whose value is in the lines below, further in."""
_SECTION = re.compile(r"\[{1,2}(?P<name>[^\[\]]*)\]{1,2}")
_COMMENTS = ("#", ";", "//", "!")
_ANSIBLE = re.compile(r"^[^#\n]*\bansible_(?:host|user|port|connection|password|ssh_\w+)\s*=", re.M)
_INVENTORY = re.compile(r"hosts|inventory")
_VARIABLE = re.compile(r"(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|\S+)")


def is_ansible(path: str, text: str) -> bool:
    """Return True for an inventory of Ansible, whose lines begin with the names of the hosts that it works on."""
    named = _INVENTORY.fullmatch(PurePosixPath(path).stem) is not None
    return bool(_ANSIBLE.search(text)) or (named and bool(re.search(r"(?m)^\[[\w:.-]+\]", text)))


def read_settings(path: str, text: str) -> Document:
    """Return the settings of the lines; a comment, a section's head or an empty line is none."""
    found = _inventory(text) if is_ansible(path, text) else ini_settings(text)
    settings = tuple(found)
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
    """Yield the settings in the order of the lines, each under its section; a continued line belongs to its key.

    A line continues the one above it that has less indent; in a section that is indented as a whole none does.
    """
    section: tuple[str, ...] = ()
    scope, key, edge = 0, "", 0
    is_open = False
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith(_COMMENTS):
            continue
        head = _SECTION.fullmatch(bare.partition(" #")[0].strip())
        if head is not None:
            section, scope, key, is_open = (head["name"],), number, "", False
            continue
        indent = len(line) - len(line.lstrip())
        match, opened = _LINE.fullmatch(bare), _OPEN.fullmatch(bare)
        continues = bool(key) and indent > edge
        if opened is not None:
            key, edge, is_open = opened["key"], indent, True
        elif match is None or (
            continues and (match["sign"].isspace() or (is_open and "=" not in match["sign"]))
        ):
            path = (*section, key) if key else section
            yield Setting(
                path, bare.removesuffix("\\").rstrip(" ,"), Place(number, indent + 1), scope
            )
        elif match["value"]:
            key, edge, is_open = match["key"].strip("\"'"), indent, False
            value, skipped = unquoted(match["value"].removesuffix("\\"))
            place = Place(number, indent + match.start("value") + 1 + skipped)
            yield Setting((*section, key), value, place, scope)


def _inventory(text: str) -> Iterator[Setting]:
    """Yield the variables of an inventory: behind a host's name, or below `[group:vars]`."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("#", ";", "[")):
            continue
        for match in _VARIABLE.finditer(line):
            value, skipped = unquoted(match["value"])
            place = Place(number, match.start("value") + 1 + skipped)
            yield Setting((match["key"],), value, place, scope=0)

"""Crontabs: assignments, and commands behind their five fields."""

from __future__ import annotations

import re

from keybuzz.policy.document import Command, Document, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.lines.quoted import unquoted

_ASSIGNED = re.compile(r"\s*(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)")
_TIMED = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){5})\s*(?P<command>.*)")


def read_crontab(path: str, text: str) -> Document:
    """Return what each line sets or runs."""
    commands: list[Command] = []
    settings: list[Setting] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        assigned, timed = _ASSIGNED.fullmatch(line), _TIMED.fullmatch(line)
        if timed is not None:
            place = Place(number, timed.start("command") + 1)
            found, given = read_commands(timed["command"], place)
            commands += found
            settings += given
        elif assigned is not None:
            value, skipped = unquoted(assigned["value"])
            place = Place(number, assigned.start("value") + 1 + skipped)
            settings.append(Setting((assigned["key"],), value, place))
    return shell_document(path, Kind.CRONTAB, text, tuple(commands), tuple(settings))

"""systemd units and Quadlet files: their environment, what they run, their images and their ports."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from keybuzz.policy.document import Bind, Document, Image, Kind, Setting, Word
from keybuzz.policy.node import Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.images import looks_like_image, published
from keybuzz.policy.readers.lines.ini import ini_settings

_RUNS = re.compile(r"Exec\w*")


def read_unit(path: str, text: str) -> Document:
    """Return what a unit sets and runs; a line that ends in a backslash goes on below."""
    settings = tuple(ini_settings(text))
    found = Document(path, Kind.UNIT, text, settings=tuple(_plain(settings)))
    image = next((s.value for s in settings if s.key == "Image"), "")
    for setting in settings:
        if _RUNS.fullmatch(setting.key):
            body = _continued(text, setting)
            commands, given = read_commands(body, setting.place)
            found = found.joined(shell_document(path, Kind.UNIT, text, commands, given))
    images = tuple(
        Image(s.value, s.place)
        for s in settings
        if s.key == "Image" and looks_like_image(s.value + ":")
    )
    ports = (published(Word(s.value, s.place), image) for s in settings if s.key == "PublishPort")
    binds: tuple[Bind, ...] = tuple(bind for bind in ports if bind is not None)
    return replace(found, images=found.images + images, binds=found.binds + binds)


def _plain(settings: tuple[Setting, ...]) -> Iterator[Setting]:
    for setting in settings:
        if setting.key == "Environment":
            yield from _environment(setting)
        elif not _RUNS.fullmatch(setting.key) and setting.key not in (
            "Image",
            "PublishPort",
            "Description",
        ):
            yield setting


def _environment(setting: Setting) -> Iterator[Setting]:
    """Yield the pairs of `Environment="A=b c" D=e`."""
    try:
        words = shlex.split(setting.value)
    except ValueError:
        words = setting.value.split()
    for word in words:
        key, sign, value = word.partition("=")
        if sign:
            column = setting.place.column + max(setting.value.find(value), 0)
            yield Setting((key,), value, Place(setting.place.line, column), setting.scope)


def _continued(text: str, setting: Setting) -> str:
    """Return the command of a setting with the lines that continue it; its signs before the program are left out."""
    lines = text.split("\n")[setting.place.line - 1 :]
    lines[0] = lines[0][setting.place.column - 1 :].lstrip("-+!@:")
    end = next(
        (n for n, line in enumerate(lines) if not line.rstrip().endswith("\\")), len(lines) - 1
    )
    return "\n".join(lines[: end + 1])

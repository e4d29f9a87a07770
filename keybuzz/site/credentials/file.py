"""One file of the credential store: NAME=value lines, parsed as data and never sourced (SEC-1)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.accounts import account_of
from keybuzz.site.credentials.schema import SHORTEST, Credential, is_delivered
from keybuzz.site.files.problems import nearest, read_file

_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
"""Names of roles, databases and clusters: they stand in files and statements where nothing can be quoted."""
_NUMBER = re.compile(r"[1-9][0-9]?")
LIMIT = 1 << 16
"""Bytes that a file of the store may have."""


@dataclass(frozen=True, slots=True)
class StoreProblem:
    """One thing that is wrong in the store; no value ever stands in it."""

    path: Path
    line: int
    what: str
    hint: str
    rule: str = "form"
    """Word for programs: mode, form, name, value, shell, default, weak, shared, missing, stray-file, alias, pending,
    undescribed."""
    warning: bool = False
    """True when nothing is broken by it."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what} → {self.hint}"


@dataclass(frozen=True, slots=True)
class StoreFile:
    """What one file holds, and what is wrong with it."""

    values: Mapping[str, Secret]
    """By canonical name."""
    lines: Mapping[str, int]
    problems: tuple[StoreProblem, ...]


def read_store_file(path: Path, schema: Iterable[Credential]) -> StoreFile:
    """Read one file; InputError only when it cannot be read as text at all."""
    parser = _Parser(path, tuple(schema))
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            parser.line(number, line)
    return StoreFile(parser.values, parser.lines, (*mode_problems(path), *parser.problems))


class _Parser:
    """Collects values and problems of one file, line by line."""

    def __init__(self, path: Path, schema: tuple[Credential, ...]) -> None:
        self.values: dict[str, Secret] = {}
        self.lines: dict[str, int] = {}
        self.problems: list[StoreProblem] = []
        self._path = path
        self._all = {name: item for item in schema for name in (item.name, *item.aliases)}

    def line(self, number: int, text: str) -> None:
        """Take one line that is no comment."""
        match = _LINE.fullmatch(text)
        if match is None or "\r" in text:
            self._note(number, "is not NAME=value", _not_data(text))
            return
        item = self._known(number, match[1])
        name = item.name if item else match[1]
        if name in self.values:
            self._note(number, f"{name} stands here twice", "keep one of the two")
        elif not match[2].isprintable():
            self._note(number, f"{name} holds characters that are not printable", "replace it")
        else:
            self.values[name], self.lines[name] = Secret(name, match[2]), number
            if item is not None and (wrong := _wrong_value(item, match[2])):
                self._note(number, *wrong, "value")

    def _known(self, number: int, written: str) -> Credential | None:
        """Return the credential of a name or alias, and note what is wrong with the name."""
        item = self._all.get(written)
        if item is None and (former := account_of(written)) is not None:
            # The account of an application that is no longer described: its value stays a secret.
            what = f"{written} is of no application that is described"
            hint = "describe the application, or delete the line when its account is gone"
            note = StoreProblem(self._path, number, what, hint, "undescribed", warning=True)
            self.problems.append(note)
            return former
        if item is None:
            here = [name for name, found in self._all.items() if found.file == self._path.name]
            self._note(number, f"{written} is not known", nearest(written, here), "name")
        elif item.file != self._path.name:
            self._note(number, f"{written} belongs into {item.file}", "move it there", "name")
        elif item.name != written:
            what = f"{written} is another name of {item.name}"
            note = StoreProblem(self._path, number, what, f"write {item.name}", "alias", True)
            self.problems.append(note)
        return item

    def _note(self, number: int, what: str, hint: str, rule: str = "form") -> None:
        self.problems.append(StoreProblem(self._path, number, what, hint, rule))


def mode_problems(path: Path) -> Iterator[StoreProblem]:
    """Yield what lets others read or replace a file of the store."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        hint = f"put a file there: {proposed('chmod', '600', path)}"
        yield StoreProblem(path, 1, "is no regular file (SEC-1)", hint, "mode")
    elif stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        hint = f"{proposed('chmod', '600', path)}; {proposed('chown', 'root:root', path)}"
        yield StoreProblem(path, 1, "others may read it (SEC-1)", hint, "mode")
    elif stat.S_IMODE(status.st_mode) & 0o100:
        what = "may be executed: this file is data (SEC-1)"
        yield StoreProblem(path, 1, what, proposed("chmod", "600", path), "mode")


def _not_data(line: str) -> str:
    if line.endswith("\r"):
        return "this line ends as on Windows (CRLF): save the file with Unix line ends"
    return "this file is data: no export, no shell"


def _text(path: Path) -> str:
    content = read_file(path, LIMIT)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            "is not UTF-8: the secret would not be the one that was meant",
            where=f"{path}:{line}",
            hint="save the file as UTF-8",
        ) from error


def why_not(item: Credential, clear: str) -> str:
    """Return why the store does not take a value for a variable, in words that do not show it; empty when it does."""
    if not clear.isprintable():
        return "it holds characters that are not printable"
    wrong = _wrong_value(item, clear)
    return wrong[0] if wrong else ""


def _wrong_value(item: Credential, clear: str) -> tuple[str, str] | None:
    """Return what is wrong with a value, in words that do not show it."""
    if item.secret:
        short = len(clear) < SHORTEST and not is_delivered(clear)
        hint = f"give the service one of {item.minimum} characters by its own means, then write it here"
        return (f"{item.name} is shorter than {SHORTEST}", hint) if short else None
    form = _NUMBER if item.default.isdecimal() else _NAME
    if form.fullmatch(clear):
        return None
    if form is _NUMBER:
        return f"{item.name} is no number", "write a number from 1 to 99"
    hint = "use up to 63 letters, digits, _ and -; no digit or - at the beginning"
    return f"{item.name} is no name", hint

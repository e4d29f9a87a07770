"""The value that a rotation is about to bring in: beside the store until every consumer has accepted it.

`postgres.env.next` holds NAME__NEXT=value, 0600. It is written before anything changes on a host and removed when
nothing is left to do, so that a rotation that was cut off at any point goes on with the same value. Once the store
holds the same value, what is left is to drop the old one.
"""

from __future__ import annotations

import re
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.file import LIMIT, mode_problems
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.credentials.store import generate, put_values, write_private
from keybuzz.site.files.problems import read_file

NEXT = ".next"
"""Suffix of the file beside a file of the store."""
_LINE = re.compile(r"([A-Z][A-Z0-9_]*)__NEXT=([ -~]+)")


def pending(folder: Path, item: Credential) -> Secret | None:
    """Return the value that a rotation has begun with, or None; InputError when others may read it."""
    clear = _read(_path(folder, item)).get(item.name)
    return None if clear is None else Secret(item.name, clear)


def all_pending(folder: Path) -> tuple[Secret, ...]:
    """Return every value that a rotation has begun with, of accounts of applications too."""
    return tuple(
        Secret(name, clear)
        for path in sorted(folder.glob(f"*{NEXT}"))
        for name, clear in _read(path).items()
    )


def begin(folder: Path, item: Credential) -> Secret:
    """Return the pending value; make and keep a new one when there is none."""
    found = pending(folder, item)
    if found is not None:
        return found
    path = _path(folder, item)
    values = {**_read(path), item.name: generate(item)}
    _write(path, values)
    return Secret(item.name, values[item.name])


def switch(folder: Path, item: Credential) -> None:
    """Put the pending value into the store, at once. All other lines stay as they are."""
    clear = _read(_path(folder, item))[item.name]
    put_values(folder, {item: Secret(item.name, clear)})


def forget(folder: Path, item: Credential) -> None:
    """Forget the pending value: nothing is left to do for it."""
    path = _path(folder, item)
    values = _read(path)
    del values[item.name]
    if values:
        _write(path, values)
    else:
        path.unlink()


def _path(folder: Path, item: Credential) -> Path:
    return folder / f"{item.file}{NEXT}"


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    for problem in mode_problems(path):
        raise InputError(problem.what, where=str(path), hint=problem.hint)
    values: dict[str, str] = {}
    for number, line in enumerate(
        read_file(path, LIMIT).decode("ascii", "replace").splitlines(), 1
    ):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(
                "is not NAME__NEXT=value", where=f"{path}:{number}", hint="only kbz writes it"
            )
        values[match[1]] = match[2]
    return values


def _write(path: Path, values: dict[str, str]) -> None:
    lines = "".join(f"{name}__NEXT={clear}\n" for name, clear in sorted(values.items()))
    write_private(path, lines.encode())

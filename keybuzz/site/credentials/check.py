"""`kbz secrets check`: everything that is wrong in the store at once, by file and line, without any value (SEC-1)."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.credentials.file import StoreFile, StoreProblem, mode_problems, read_store_file
from keybuzz.site.credentials.meaning import unlike_a_shell
from keybuzz.site.credentials.pending import NEXT
from keybuzz.site.credentials.schema import (
    EXTERNAL_FILES,
    Credential,
    delivered,
    files,
    former_files,
    schema,
)

_PLACEHOLDER = re.compile(r"change[-_]?me|placeholder|your[-_]?(password|secret)|<.*>|\*{4,}", re.I)


_ROTATE = "rotate it: `kbz secrets rotations` names what brings in a new one"

Schema = tuple[Credential, ...]
_NO_SIZES: Mapping[str, int] = {}


def check_store(
    folder: Path, credentials: Schema | None = None, sizes: Mapping[str, int] = _NO_SIZES
) -> tuple[StoreProblem, ...]:
    """Return all problems of the store, file by file; it is sound when only warnings are left.

    `sizes` has the number of servers of each group, for numbers that must not be above it.
    """
    if not folder.is_dir():
        hint = "`kbz secrets init` creates it"
        return (StoreProblem(folder, 1, "there is no such folder", hint, "missing"),)
    known = schema() if credentials is None else credentials
    read: dict[str, StoreFile] = {}
    problems: list[StoreProblem] = list(_folder(folder))
    for file in files():
        path = folder / file
        if not os.path.lexists(path):
            problems.append(_no_file(path))
        elif file in EXTERNAL_FILES:
            problems += mode_problems(path)
        else:
            found, wrong = _read(path, known)
            problems += wrong
            if found is not None:
                read[file] = found
                problems += _values(path, found, known)
                problems += _forms(path, found)
                problems += _numbers(path, found, known, sizes)
    problems += _shared(folder, read, known)
    problems += _others(folder)
    return tuple(sorted(problems, key=lambda item: (str(item.path), item.line)))


def _folder(folder: Path) -> Iterator[StoreProblem]:
    status = folder.lstat()
    wrong_mode = stat.S_IMODE(status.st_mode) & 0o077
    if not stat.S_ISDIR(status.st_mode) or wrong_mode or status.st_uid != os.geteuid():
        hint = f"{proposed('chmod', '700', folder)}; {proposed('chown', 'root:root', folder)}"
        yield StoreProblem(folder, 1, "others may look into it (SEC-1)", hint, "mode")
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            what = f"{parent} may be written by everybody: the store could be exchanged"
            yield StoreProblem(folder, 1, what, proposed("chmod", "o-w", parent), "mode")


def _no_file(path: Path) -> StoreProblem:
    if path.name in EXTERNAL_FILES:
        hint = "put it there when its application comes; kbz does not read it"
        return StoreProblem(path, 1, "is not there", hint, "missing", warning=True)
    return StoreProblem(path, 1, "is not there", "kbz secrets init", "missing")


def _read(path: Path, known: Schema) -> tuple[StoreFile | None, tuple[StoreProblem, ...]]:
    if not path.is_file() or path.is_symlink():
        return None, tuple(mode_problems(path))
    try:
        found = read_store_file(path, known)
    except InputError as error:
        _, _, line = error.where.rpartition(":")
        number = int(line) if line.isdecimal() else 1
        return None, (StoreProblem(path, number, error.what, error.hint),)
    return found, found.problems


def _values(path: Path, found: StoreFile, known: Schema) -> Iterator[StoreProblem]:
    """Yield variables that are missing, and values that everybody tries first."""
    names = {
        found.values[item.name].reveal()
        for item in _of(path, known)
        if not item.secret and item.name in found.values
    }
    for item in _of(path, known):
        if item.name not in found.values:
            yield StoreProblem(path, 1, f"{item.name} is missing", "kbz secrets init", "missing")
            continue
        clear, line = found.values[item.name].reveal(), found.lines[item.name]
        common = item.secret and (is_default(clear) or clear in names)
        if common or clear.casefold() in item.weak:
            what = f"{item.name} holds a value that everybody tries first"
            yield StoreProblem(path, line, what, _ROTATE, "default")
        elif item.secret and len(clear) < item.minimum:
            what = f"{item.name} is shorter than {item.minimum}"
            yield StoreProblem(path, line, what, _ROTATE, "weak")


def _forms(path: Path, found: StoreFile) -> Iterator[StoreProblem]:
    """Yield values that a shell, which older scripts gave these files to, would have read in another way."""
    for name, secret in found.values.items():
        wrong = unlike_a_shell(secret.reveal())
        if wrong is not None:
            what, hint = wrong
            yield StoreProblem(path, found.lines[name], f"{name} {what}", hint, "shell")


def _numbers(
    path: Path, found: StoreFile, known: Schema, sizes: Mapping[str, int]
) -> Iterator[StoreProblem]:
    for item in _of(path, known):
        number = found.values[item.name].reveal() if item.name in found.values else ""
        size = sizes.get(item.most)
        if size is not None and number.isdecimal() and int(number) > size:
            what = (
                f"{item.name} is above the number of servers of {item.most}, {size}: never reached"
            )
            hint = f"write a majority of them: {size // 2 + 1}"
            yield StoreProblem(path, found.lines[item.name], what, hint, "value")


def _of(path: Path, known: Schema) -> Schema:
    return tuple(item for item in known if item.file == path.name)


def is_weak(item: Credential, clear: str) -> bool:
    """Return whether a secret is shorter than it should be, or one that everybody tries first."""
    return item.secret and (len(clear) < item.minimum or is_default(clear))


def is_default(clear: str) -> bool:
    """Return whether a secret is a delivered default, repeated or decorated, or was meant to be replaced."""
    if _PLACEHOLDER.search(clear) or len(set(clear)) < 5:
        return True
    core = re.sub(r"[^a-z]", "", clear.casefold())
    letters = core or clear.casefold()
    return any(
        letters == word or (len(letters) > len(word) and letters.replace(word, "") == "")
        for word in delivered()
    )


def _shared(folder: Path, read: Mapping[str, StoreFile], known: Schema) -> Iterator[StoreProblem]:
    """Yield variables whose secret is another one's too: who knows one knows both."""
    by_value: dict[str, list[tuple[Path, int, str]]] = defaultdict(list)
    for file, found in read.items():
        for item in known:
            if item.secret and item.file == file and item.name in found.values:
                place = (folder / file, found.lines[item.name], item.name)
                by_value[found.values[item.name].reveal()].append(place)
    for (_, _, first), *others in by_value.values():
        for path, line, name in others:
            what = f"{name} has the same value as {first}"
            yield StoreProblem(path, line, what, "rotate one of the two", "shared")


def _others(folder: Path) -> Iterator[StoreProblem]:
    """Yield what else lies in the store."""
    known = set(files())
    for path in sorted(folder.iterdir()):
        if path.name in known:
            continue
        if path.name in former_files():
            hint = f"put its value into {former_files()[path.name]}, then delete it"
            yield StoreProblem(path, 1, "is a file of older scripts", hint, "stray-file")
        elif path.name.endswith(NEXT) and path.name.removesuffix(NEXT) in known:
            hint = "the same `kbz secrets rotate` goes on from there"
            yield StoreProblem(path, 1, "a rotation was cut off", hint, "pending", warning=True)
            yield from mode_problems(path)
        else:
            hint = "take it away: copies of secrets are not looked after"
            yield StoreProblem(path, 1, "does not belong into the store", hint, "stray-file")

"""The credential store (SEC-1): one schema, files parsed as data and never sourced, nothing overwritten."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.file import LIMIT, read_store_file
from keybuzz.site.credentials.schema import Credential, is_delivered, schema
from keybuzz.site.files.problems import Problems, read_file
from keybuzz.site.files.whole import put

_ALPHABET = string.ascii_letters + string.digits


def hidden(credentials: Mapping[str, Secret]) -> tuple[Secret, ...]:
    """Return the credentials that texts must not show: all but names of users, databases and clusters.

    Nor a delivered password, such as `admin`: it hides nothing, and is part of names in every answer of a host.
    """
    names = frozenset(credential.name for credential in schema() if not credential.secret)
    return tuple(
        secret
        for name, secret in credentials.items()
        if name not in names and not is_delivered(secret.reveal())
    )


def load_credentials(
    folder: Path, credentials: Iterable[Credential] | None = None
) -> dict[str, Secret]:
    """Return what the store holds, by canonical name; InputError for a file that others may read or is no data.

    Without `credentials` it is of every credential that a module declares.
    A missing file or variable is no error here: who needs it says so (Site.secret).
    """
    items = schema() if credentials is None else tuple(credentials)
    found: dict[str, Secret] = {}
    for file in sorted({item.file for item in items}):
        path = folder / file
        if not path.exists():
            continue
        read = read_store_file(path, items)
        problems = Problems(str(path))
        for problem in read.problems:
            if not problem.warning:
                problems.add(problem.line, problem.what, problem.hint)
        problems.raise_if_any()
        found.update(read.values)
    return found


def create_missing(
    folder: Path, credentials: Iterable[Credential] | None = None
) -> tuple[str, ...]:
    """Add each variable that the store lacks; existing values stay. Return the new names."""
    items = schema() if credentials is None else tuple(credentials)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    existing = load_credentials(folder, items)
    created = [item for item in items if item.name not in existing]
    for file in sorted({item.file for item in created}):
        _append(folder / file, [item for item in created if item.file == file])
    return tuple(item.name for item in created)


def _append(path: Path, created: list[Credential]) -> None:
    old = path.read_bytes() if path.exists() else b""
    if old and not old.endswith(b"\n"):
        old += b"\n"
    lines = "".join(f"{item.name}={item.default or generate(item)}\n" for item in created)
    write_private(path, old + lines.encode())


def put_values(folder: Path, values: Mapping[Credential, Secret]) -> None:
    """Put values into their files, each file at once; all other lines stay as they are.

    InputError when a variable stands in its file twice, before anything is written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files: dict[str, bytes] = {}
    for item, secret in values.items():
        path = folder / item.file
        old = files.get(item.file) or (read_file(path, LIMIT) if path.exists() else b"")
        files[item.file] = _with_value(path, old, item, secret.reveal())
    for file, content in files.items():
        write_private(folder / file, content)


def _with_value(path: Path, old: bytes, item: Credential, clear: str) -> bytes:
    """Return a file with one line of a variable replaced, whichever of its names stands there, or added."""
    names = "|".join((item.name, *item.aliases))
    text, line = old.decode("utf-8"), f"{item.name}={clear}"
    found = re.subn(rf"(?m)^(?:{names})=.*$", lambda match: line, text)
    if found[1] > 1:
        hint = proposed("kbz", "secrets", "check")
        raise InputError(f"{item.name} does not stand there once", where=str(path), hint=hint)
    if found[1]:
        return found[0].encode()
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n".encode()


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once; no other user can read it at any moment, and a crash leaves the old one."""
    put(path, content, 0o600)


def generate(credential: Credential) -> str:
    """Return a new random value of letters and digits, which no file format gives a meaning to."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(credential.length))

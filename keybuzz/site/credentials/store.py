"""The credential store (SEC-1): one schema, files parsed as data and never sourced, nothing overwritten."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.file import read_store_file
from keybuzz.site.credentials.schema import SCHEMA, Credential
from keybuzz.site.files.problems import Problems
from keybuzz.site.files.whole import put

__all__ = ["SCHEMA", "Credential", "create_missing", "hidden", "load_credentials"]

_ALPHABET = string.ascii_letters + string.digits


def hidden(credentials: Mapping[str, Secret]) -> tuple[Secret, ...]:
    """Return the credentials that nobody may see: all but names of users, databases and clusters."""
    names = frozenset(credential.name for credential in SCHEMA if not credential.secret)
    return tuple(secret for name, secret in credentials.items() if name not in names)


def load_credentials(folder: Path, schema: Iterable[Credential] = SCHEMA) -> dict[str, Secret]:
    """Return what the store holds, by canonical name; InputError for a file that others may read or is no data.

    A missing file or variable is no error here: who needs it says so (Site.secret).
    """
    items = tuple(schema)
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


def create_missing(folder: Path, schema: Iterable[Credential] = SCHEMA) -> tuple[str, ...]:
    """Add each variable that the store lacks; existing values stay. Return the new names."""
    items = tuple(schema)
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


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once; nobody else can read it at any moment, and a crash leaves the old one."""
    put(path, content, 0o600)


def generate(credential: Credential) -> str:
    """Return a new random value of letters and digits, which no file format gives a meaning to."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(credential.length))

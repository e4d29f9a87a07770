"""The credential store (SEC-1): one schema, files parsed as data and never sourced."""

from __future__ import annotations

import os
import re
import secrets
import stat
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.errors import InputError
from keybuzz.model.secret import Secret
from keybuzz.site.problems import Problems, read_file

_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
"""Names of roles, databases and clusters: they stand in files and statements where nothing can be quoted."""
_ALPHABET = string.ascii_letters + string.digits
_LIMIT = 1 << 16
_MINIMUM = 16


@dataclass(frozen=True, slots=True)
class Credential:
    """One variable of the store (facts/credentials.md)."""

    name: str
    file: str
    default: str = ""
    """Value for a name that is not secret; empty means: generate 25 letters and digits."""


SCHEMA = (
    Credential("POSTGRES_SUPERUSER", "postgres.env", "kb_admin"),
    Credential("POSTGRES_SUPERPASS", "postgres.env"),
    Credential("POSTGRES_REPL_USER", "postgres.env", "kb_repl"),
    Credential("POSTGRES_REPL_PASS", "postgres.env"),
    Credential("POSTGRES_REWIND_USER", "postgres.env", "kb_rewind"),
    Credential("POSTGRES_REWIND_PASS", "postgres.env"),
    Credential("POSTGRES_APP_USER", "postgres.env", "kb_app"),
    Credential("POSTGRES_APP_PASS", "postgres.env"),
    Credential("POSTGRES_DB", "postgres.env", "keybuzz"),
    Credential("PATRONI_CLUSTER_NAME", "postgres.env", "keybuzz-pg"),
    Credential("PATRONI_API_PASSWORD", "postgres.env"),
)


_NAMES = frozenset(credential.name for credential in SCHEMA if credential.default)


def hidden(credentials: Mapping[str, Secret]) -> tuple[Secret, ...]:
    """Return the credentials that nobody may see: all but names of users, databases and clusters."""
    return tuple(secret for name, secret in credentials.items() if name not in _NAMES)


def load_credentials(folder: Path, schema: Iterable[Credential] = SCHEMA) -> dict[str, Secret]:
    """Return what the store holds; InputError for a file that others may read or that is not data.

    A missing file or variable is no error here: who needs it says so (Site.secret).
    """
    found: dict[str, Secret] = {}
    for file in sorted({credential.file for credential in schema}):
        path = folder / file
        if path.exists():
            found.update(_read(path))
    return found


def _read(path: Path) -> Mapping[str, Secret]:
    problems = Problems(str(path))
    status = path.stat()
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        problems.add(1, "others may read it (SEC-1)", f"chmod 600 {path}; chown root:root {path}")
    values: dict[str, Secret] = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or "\r" in line:
            problems.add(number, "is not NAME=value", "this file is data: no export, no shell")
        elif match[1] in values:
            problems.add(number, f"{match[1]} stands here twice", "keep one of the two")
        elif not match[2].isprintable():
            problems.add(
                number, f"{match[1]} holds characters that are not printable", "replace it"
            )
        else:
            values[match[1]] = Secret(match[1], match[2])
    _judge(values, problems)
    problems.raise_if_any()
    return values


def _text(path: Path) -> str:
    content = read_file(path, _LIMIT)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            "is not UTF-8: the secret would not be the one that was meant",
            where=f"{path}:{line}",
            hint="save the file as UTF-8",
        ) from error


def _judge(values: Mapping[str, Secret], problems: Problems) -> None:
    """Note passwords that are too short, and names that can not be names."""
    for credential in SCHEMA:
        if credential.name not in values:
            continue
        clear = values[credential.name].reveal()
        if credential.default and not _NAME.fullmatch(clear):
            hint = "use up to 63 letters, digits, _ and -; no digit or - at the beginning"
            problems.add(1, f"{credential.name} is no name", hint)
        elif not credential.default and len(clear) < _MINIMUM:
            problems.add(1, f"{credential.name} is shorter than {_MINIMUM}", "rotate it")


def create_missing(folder: Path, schema: Iterable[Credential] = SCHEMA) -> tuple[str, ...]:
    """Add each variable that the store lacks; existing values stay. Return the new names."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    existing = load_credentials(folder, schema)
    created = [credential for credential in schema if credential.name not in existing]
    for file in sorted({credential.file for credential in created}):
        _append(folder / file, [credential for credential in created if credential.file == file])
    return tuple(credential.name for credential in created)


def _append(path: Path, created: list[Credential]) -> None:
    old = path.read_bytes() if path.exists() else b""
    if old and not old.endswith(b"\n"):
        old += b"\n"
    lines = "".join(f"{item.name}={item.default or _generate()}\n" for item in created)
    temporary = path.with_name(f".{path.name}.kbz-new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(old + lines.encode())
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _generate() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(25))

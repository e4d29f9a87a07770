"""Pins host keys: what a host shows, and the file of pinned keys with one line more or less.

Lines that are not about the host stay as they are, comments and odd ones too (lesson 11).
"""

from __future__ import annotations

import base64
import fcntl
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.transport.ssh.known_hosts import fingerprint

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class ShownKey:
    """The key that a host shows now."""

    kind: str
    blob: str
    """Base64, as in known_hosts."""

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as OpenSSH prints it."""
        return fingerprint(base64.b64decode(self.blob))


def ask_key(name: str, address: str, port: int = 22) -> ShownKey:
    """Return the ed25519 key (or else the preferred one) that the host shows; nothing is sent to it."""
    import paramiko

    try:
        with socket.create_connection((address, port), _TIMEOUT) as connected:
            transport = paramiko.Transport(connected)
            preferred = transport.get_security_options()
            preferred.key_types = sorted(
                preferred.key_types, key=lambda kind: kind != "ssh-ed25519"
            )
            try:
                transport.start_client(timeout=_TIMEOUT)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise ContactError(
            f"shows no key at {address}:{port}: {error}", where=name, hint="is the host up?"
        ) from error
    return ShownKey(key.get_name(), key.get_base64())


def with_key(text: str, address: str, key: ShownKey) -> str:
    """Return the file's text with one line more."""
    separator = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{separator}{address} {key.kind} {key.blob}\n"


def read_text(path: Path) -> str:
    """Return the text of the file of pinned keys, byte for byte; no file is like an empty one.

    InputError for what is no file, and for one that every user can write to.
    """
    real = _behind(path)
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as stream:
        # Line ends stay as they are: a lone CR ends no line, and a line of another host is never changed.
        return stream.read().decode("utf-8", errors="surrogateescape")


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Put `change(text)` in place of the file's text, atomically; mode 0644, as the keys are public.

    A link of the operator's stays one: the file behind it is replaced. Any process that changes another host's line at
    the same time waits, so that no line is lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    real = _behind(path)
    folder = os.open(real.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        text = change(read_text(real))
        temporary = real.with_name(f".{real.name}.kbz-new")
        temporary.unlink(
            missing_ok=True
        )  # what was planted there is neither followed nor written to
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o644)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o644)
            stream.write(text.encode("utf-8", errors="surrogateescape"))
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(real)
    finally:
        os.close(folder)


def _behind(path: Path) -> Path:
    """Return the file itself, behind the operator's own link; InputError for a place where any user can put one."""
    try:
        real = path.resolve()
        for place in (path.parent, real.parent, real):
            _require_safe(place, path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    return real


def _require_safe(place: Path, path: Path) -> None:
    """Raise InputError where every user can write; fine when nothing is there."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    folder = place != path.resolve()
    if not folder and not stat.S_ISREG(mode):
        raise InputError(
            "is a directory, pipe, socket or device, and no file of pinned keys", where=str(path)
        )
    if mode & 0o002 and not stat.S_ISLNK(mode):
        raise InputError(
            f"every user can write to {place} (mode {stat.S_IMODE(mode):04o}), and so decide which hosts are trusted",
            where=str(path),
            hint=f"look at the pinned keys, then: {proposed('chmod', 'o-w', place)}",
        )

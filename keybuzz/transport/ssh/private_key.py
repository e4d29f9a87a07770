"""The private key file of the controller: refused when others can read it, as OpenSSH does."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.proposed import proposed
from keybuzz.transport.link import Target

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_key_of(target: Target) -> Path:
    """Return the key file of a target. ContactError when it cannot be read, or when others can read it."""
    path = Path(target.options.key_filename).expanduser()
    try:
        found = path.stat()
    except OSError as error:
        raise ContactError(
            f"the private key {path} cannot be read: {error.strerror}",
            where=target.name,
            hint="key_filename in site.yaml names it",
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise ContactError(f"the private key {path} is no regular file", where=target.name)
    if found.st_uid not in (0, os.geteuid()):
        raise ContactError(
            f"the private key {path} belongs to user {found.st_uid}",
            where=target.name,
            hint=proposed("chown", os.geteuid(), path),
        )
    if found.st_mode & _OTHERS:
        raise ContactError(
            f"the private key {path} has mode {stat.S_IMODE(found.st_mode):04o}: others can read or replace it",
            where=target.name,
            hint=f"{proposed('chmod', '600', path)}; if others may have read it, make a new key",
        )
    return path

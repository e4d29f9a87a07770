"""The public halves of the keys with which kbz logs in: on a host they are nobody else's."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from pathlib import Path

import paramiko


def own_fingerprints(key_filename: Path) -> frozenset[str]:
    """Return the fingerprints, as `ssh-keygen -l` shows them, of a key file, or of ssh-agent where there is none.

    A key with a passphrase is known by its `.pub` only.
    """
    blobs: list[bytes] = []
    if key_filename.name:
        path = key_filename.expanduser()
        with suppress(OSError, ValueError, paramiko.SSHException):
            blobs.append(paramiko.PKey.from_path(path).asbytes())
        with suppress(OSError, ValueError, IndexError):
            words = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8").split()
            blobs.append(base64.b64decode(words[1], validate=True))
    else:
        with suppress(OSError, paramiko.SSHException):
            blobs += [key.asbytes() for key in paramiko.Agent().get_keys()]
    return frozenset(map(_fingerprint, blobs))


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

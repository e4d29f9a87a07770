"""The public halves of the key with which kbz logs in: on a host it is kbz's own."""

from __future__ import annotations

import base64
import hashlib
import struct
from contextlib import suppress
from pathlib import Path

import paramiko

_MAGIC = b"openssh-key-v1\x00"


def own_fingerprints(key_filename: Path) -> frozenset[str]:
    """Return the fingerprints of a key file, as `ssh-keygen -l` shows them; also of one with a passphrase.

    Keys of an ssh-agent are not looked at: who has one differs from a terminal to cron, and a verdict must not.
    They are described by `base.authorized_keys`.
    """
    if not key_filename.name:
        return frozenset()
    blobs: list[bytes] = []
    path = key_filename.expanduser()
    with suppress(OSError, ValueError, TypeError, paramiko.SSHException):
        blobs.append(paramiko.PKey.from_path(path).asbytes())
    with suppress(OSError, ValueError, IndexError, struct.error):
        blobs.append(_public_half(path.read_text(encoding="ascii")))
    with suppress(OSError, ValueError, IndexError):
        words = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8").split()
        blobs.append(base64.b64decode(words[1], validate=True))
    return frozenset(map(_fingerprint, blobs))


def _public_half(text: str) -> bytes:
    """Return the public half that OpenSSH's own format holds in clear (PROTOCOL.key); ValueError without one."""
    lines = text.split("-----BEGIN OPENSSH PRIVATE KEY-----")[1].split("-----END")[0]
    blob = base64.b64decode("".join(lines.split()), validate=True)
    if not blob.startswith(_MAGIC):
        raise ValueError("another format")
    place = len(_MAGIC)
    for _ in ("cipher", "key derivation", "its options"):
        place += 4 + struct.unpack_from(">I", blob, place)[0]
    place += 4  # how many keys there are: one
    (length,) = struct.unpack_from(">I", blob, place)
    return blob[place + 4 : place + 4 + length]


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

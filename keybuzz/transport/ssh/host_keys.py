"""Decides whether the host that answered is the host that was pinned."""

from __future__ import annotations

import base64
from pathlib import Path

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.link import Target
from keybuzz.transport.ssh.known_hosts import PinnedKeys, fingerprint, pinned_keys

_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Signature algorithms of key types that are not called as their type."""
_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def pins_of(target: Target) -> PinnedKeys:
    """Read the keys pinned for a target; no file is like an empty one."""
    path = Path(target.options.known_hosts)
    text = path.read_text(errors="replace") if path.is_file() else ""
    return pinned_keys(text, target.address, target.port)


def wanted_key_types(pins: PinnedKeys) -> tuple[str, ...]:
    """Return the host key algorithms to offer: those of the pinned keys, or all if none is."""
    wanted = [name for kind in sorted(pins.types) for name in _ALGORITHMS.get(kind, (kind,))]
    return tuple(name for name in _PREFERRED if name in wanted) or tuple(wanted) or _PREFERRED


def verify_host_key(target: Target, pins: PinnedKeys, kind: str, blob: bytes) -> None:
    """Return quietly for a pinned key; ContactError for one that is unknown, changed or revoked."""
    if pins.accepts(base64.b64encode(blob).decode()):
        return
    shown = f"{kind} {fingerprint(blob)}"
    raise (
        changed_key(target, shown) if pins.accepted or pins.revoked else unknown_key(target, shown)
    )


def unknown_key(target: Target, shown: str) -> ContactError:
    """Return the refusal of a host that nobody has pinned yet."""
    return ContactError(
        f"the host key {shown} of {target.address}:{target.port} is not pinned",
        where=target.name,
        hint=f"compare it with the host's own console, then: kbz hosts trust {target.name}",
    )


def changed_key(target: Target, shown: str) -> ContactError:
    """Return the refusal of a host that shows another key than the pinned one."""
    return ContactError(
        f"THE HOST KEY HAS CHANGED: {target.address}:{target.port} shows {shown}, which is not"
        " what was pinned. Another machine may be answering; nothing was sent to it",
        where=target.name,
        hint="if the server was rebuilt, compare the key with its console, then:"
        f" kbz hosts forget {target.name} && kbz hosts trust {target.name}",
    )

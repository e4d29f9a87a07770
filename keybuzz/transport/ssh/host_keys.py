"""Decides whether the host that answered is the host that was pinned."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.proposed import proposed
from keybuzz.transport.link import Target
from keybuzz.transport.ssh.known_hosts import PinnedKeys, fingerprint, pinned_keys
from keybuzz.transport.ssh.pinning import read_text

if TYPE_CHECKING:
    from paramiko import PKey

_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Signature algorithms of key types that are not called as their type."""
_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
_CERTIFICATE = "-cert-v01@openssh.com"
"""What the name of a certificate's algorithm has behind the name of its key's."""


def pins_of(target: Target) -> PinnedKeys:
    """Read the keys pinned for a target; no file is like an empty one."""
    text = read_text(Path(target.options.known_hosts))
    return pinned_keys(text, target.address, target.port)


def wanted_key_types(pins: PinnedKeys) -> tuple[str, ...]:
    """Return the host key algorithms to offer: those of the pinned keys, or all if none is.

    Where an authority vouches for the host its certificate is asked for first.
    """
    wanted = [name for kind in sorted(pins.types) for name in _ALGORITHMS.get(kind, (kind,))]
    keys = tuple(name for name in _PREFERRED if name in wanted) or tuple(wanted) or _PREFERRED
    certificates = tuple(f"{name}{_CERTIFICATE}" for name in _PREFERRED if pins.authorities)
    return (*certificates, *keys)


def verify_host_key(target: Target, pins: PinnedKeys, key: PKey) -> None:
    """Return quietly for a pinned key, or one that an authority certifies for this host; ContactError otherwise."""
    blob, certificate = key.asbytes(), key.public_blob
    text = base64.b64encode(blob).decode()
    if pins.accepts(text):
        return
    shown = f"{key.get_name()} {fingerprint(blob)}"
    if text in pins.revoked:
        raise revoked_key(target, shown)
    if certificate is not None and pins.authorities:
        from keybuzz.transport.ssh.certificate import objection

        reason = objection(certificate.key_type, certificate.key_blob, pins, _names(target))
        if not reason:
            return
        raise bad_certificate(target, shown, reason)
    raise changed_key(target, shown) if pins.accepted else unknown_key(target, shown)


def _names(target: Target) -> frozenset[str]:
    """Return the names that a certificate of this host may hold."""
    return frozenset({target.address, target.name})


def unknown_key(target: Target, shown: str) -> ContactError:
    """Return the refusal of a host that is not pinned yet."""
    return ContactError(
        f"the host key {shown} of {target.address}:{target.port} is not pinned",
        where=target.name,
        hint=f"compare it with the host's own console, then: {proposed('kbz', 'hosts', 'trust', target.name)}",
    )


def changed_key(target: Target, shown: str) -> ContactError:
    """Return the refusal of a host that shows another key than the pinned one."""
    return ContactError(
        f"THE HOST KEY HAS CHANGED: {target.address}:{target.port} shows {shown}, which is not"
        " what was pinned. Another machine may be answering; nothing was sent to it",
        where=target.name,
        hint="if the server was rebuilt, compare the key with its console, then: "
        f"{proposed('kbz', 'hosts', 'forget', target.name)} && {proposed('kbz', 'hosts', 'trust', target.name)}",
    )


def revoked_key(target: Target, shown: str) -> ContactError:
    """Return the refusal of a host that shows a key which a `@revoked` line names."""
    return ContactError(
        f"the host key {shown} of {target.address}:{target.port} is revoked in known_hosts",
        where=target.name,
        hint="give the host a new key; a revoked one stays refused, whatever else vouches for it",
    )


def bad_certificate(target: Target, shown: str, reason: str) -> ContactError:
    """Return the refusal of a certificate that a `@cert-authority` line should have covered."""
    return ContactError(
        f"the certificate of host key {shown} of {target.address}:{target.port} is not valid: {reason}",
        where=target.name,
        hint="sign the host's key again: ssh-keygen -s CA -h -I ID -n"
        f" {target.address},{target.name} -V +52w HOST_KEY.pub",
    )

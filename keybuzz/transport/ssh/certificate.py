"""Judges an OpenSSH host certificate: paramiko proves that the host owns its key, and nothing more."""

from __future__ import annotations

import base64
import time
from collections.abc import Collection

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from keybuzz.transport.ssh.known_hosts import PinnedKeys


def objection(kind: str, blob: bytes, pins: PinnedKeys, names: Collection[str]) -> str:
    """Return why a certificate does not stand for this host; empty when it does."""
    line = f"{kind} {base64.b64encode(blob).decode()}"
    try:
        found = load_ssh_public_identity(line.encode())
    except ValueError as error:
        return f"it cannot be read ({error})"
    if not isinstance(found, SSHCertificate):
        return "it is a plain key"
    return _of_authority(found, pins) or _of_host(found, names)


def _of_authority(found: SSHCertificate, pins: PinnedKeys) -> str:
    signer = found.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    authority = signer.decode().split()[1]
    if authority in pins.revoked:
        return "the authority that signed it is revoked"
    if authority not in pins.authorities:
        return "no @cert-authority line for this host has the key that signed it"
    try:
        found.verify_cert_signature()
    except InvalidSignature:
        return "its signature is false"
    return ""


def _of_host(found: SSHCertificate, names: Collection[str]) -> str:
    if found.type is not SSHCertificateType.HOST:
        return "it is for a user, not for a host"
    if found.critical_options:
        return "it has critical options, and none is known for hosts"
    if not found.valid_after <= time.time() < found.valid_before:
        return "it is not yet or no longer valid"
    principals = {principal.decode(errors="replace") for principal in found.valid_principals}
    if not principals & set(names):
        return f"it is for {', '.join(sorted(principals)) or 'no name'}"
    return ""

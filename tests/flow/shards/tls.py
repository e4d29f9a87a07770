"""Certificates for the tests, made where they run: a CA, and whom it vouches for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keybuzz.model.inventory.shards import Tls


@dataclass(frozen=True, slots=True)
class Ca:
    """A CA in a folder."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def certify(self, name: str, address: str = "127.0.0.1") -> Tls:
        """Write a key and a certificate for an address."""
        key = ec.generate_private_key(ec.SECP256R1())
        extension = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        signed = _certificate(_name(name), self.name, key.public_key(), extension, self.key)
        tls = Tls(self.file, self.folder / f"{name}.pem", self.folder / f"{name}.key")
        tls.cert.write_bytes(signed)
        tls.key.touch(mode=0o600)
        tls.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return tls


def make_ca(folder: Path) -> Ca:
    """Make a CA in a folder that is made, too."""
    folder.mkdir()
    name, key = _name(f"CA of {folder.name}"), ec.generate_private_key(ec.SECP256R1())
    extension = x509.BasicConstraints(ca=True, path_length=0)
    made = Ca(folder, name, key)
    made.file.write_bytes(_certificate(name, name, key.public_key(), extension, key))
    return made


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    extension: x509.ExtensionType,
    signer: ec.EllipticCurvePrivateKey,
) -> bytes:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=True)
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)

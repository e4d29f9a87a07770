"""Authorities and certificates, made by openssl where K3s keeps its own."""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
from collections.abc import Iterable

from k3s_stand_in import STATE

TLS = f"{STATE}/server/tls"
SHARED = ("server-ca.crt", "server-ca.key", "client-ca.crt", "client-ca.key")
"""What all servers of one cluster have in common: K3s keeps it in etcd, sealed with the token."""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, check=False)
    if done.returncode != 0:
        raise OSError(f"openssl {words[0]}: {done.stderr.decode(errors='replace')[-200:]}")


def make_authorities() -> None:
    os.makedirs(TLS, 0o700, exist_ok=True)
    for name in ("server", "client"):
        crt, key = f"{TLS}/{name}-ca.crt", f"{TLS}/{name}-ca.key"
        subject = f"/CN=k3s-{name}-ca@{secrets.token_hex(4)}"
        usage = ("-addext", "keyUsage=critical,keyCertSign,digitalSignature")
        words = (*_KEY, "-keyout", key, "-out", crt, "-days", "3650", "-subj", subject, *usage)
        _openssl("req", "-x509", *words)
        os.chmod(key, 0o600)


def is_kept(path: str, authority: str) -> bool:
    """Return whether a certificate stays as it is: K3s renews at its start what ends within 120 days."""
    lasts = ("x509", "-checkend", str(120 * 86_400), "-noout", "-in", f"{path}.crt")
    ours = ("verify", "-CAfile", f"{TLS}/{authority}-ca.crt", f"{path}.crt")
    try:
        _openssl(*lasts)
        _openssl(*ours)
    except OSError:
        return False
    return True


def issue(path: str, authority: str, subject: str, names: Iterable[str] = ()) -> None:
    """Write path.crt and path.key, signed by `server` or `client`."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    request, extensions = f"{path}.csr", f"{path}.ext"
    _openssl("req", "-new", *_KEY, "-keyout", f"{path}.key", "-out", request, "-subj", subject)
    os.chmod(f"{path}.key", 0o600)
    kinds = ("IP" if item.replace(".", "").isdigit() else "DNS" for item in names)
    alternatives = ",".join(f"{kind}:{item}" for kind, item in zip(kinds, names, strict=True))
    with open(extensions, "w", encoding="ascii") as file:
        file.write("extendedKeyUsage=clientAuth,serverAuth\n")
        file.write(f"subjectAltName={alternatives}\n" if alternatives else "")
    ca = ("-CA", f"{TLS}/{authority}-ca.crt", "-CAkey", f"{TLS}/{authority}-ca.key")
    serial = ("-set_serial", str(secrets.randbits(62)), "-days", "365", "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, "-out", f"{path}.crt", *ca, *serial)
    os.unlink(request)
    os.unlink(extensions)


def serving_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    crt, key = f"{TLS}/serving-kube-apiserver.crt", f"{TLS}/serving-kube-apiserver.key"
    context.load_cert_chain(crt, key)
    context.load_verify_locations(f"{TLS}/client-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(authority: str, pair: str = "") -> ssl.SSLContext:
    """Trust one authority; `pair` is the path of a certificate and its key."""
    context = ssl.create_default_context(cafile=authority)
    if pair:
        context.load_cert_chain(f"{pair}.crt", f"{pair}.key")
    return context


def blind_context() -> ssl.SSLContext:
    """For /cacerts only: a short token carries no digest of the authority."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

"""The token that seals what a server needs to start: kept in the data of the cluster, and changed for all at once."""

from __future__ import annotations

import hashlib
from typing import Any

from k3s_stand_in import pki
from k3s_stand_in.config import FatalError

_PEER_KEY = "server-ca.key"


def seal(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def require(data: dict[str, Any], file: str, token: str) -> None:
    """FatalError for another token than the cluster's; a server that was not there at a rotation has the old file."""
    known = data.get("sealed")
    if known is None:
        with open(file, encoding="utf-8") as stream:
            known = seal(stream.read().strip())
    if known != seal(token):
        raise FatalError("bootstrap data already found and encrypted with different token")


def parted(token: str) -> tuple[str, str]:
    """Return the digest of the authority that a token in its long form names, or nothing, and its secret."""
    if not token.startswith("K10"):
        return "", token
    digest, _, login = token.removeprefix("K10").partition("::")
    return digest, login.partition(":")[2]


def require_authority(digest: str, authority: str) -> None:
    """FatalError for a token that names another authority than the cluster has."""
    if digest and digest != hashlib.sha256(authority.encode()).hexdigest():
        raise FatalError("token CA hash does not match the Cluster CA certificate hash")


def keep(data: dict[str, Any], before: str, sealed: str) -> tuple[int, Any]:
    """Seal it with another token from now on, when it is sealed with the one before, or with this one already."""
    if data.get("sealed", before) not in (before, sealed):
        raise FatalError("bootstrap data already found and encrypted with different token")
    data["sealed"] = sealed
    return 200, {}


def peer_secret() -> str:
    """What servers of one cluster prove themselves with to each other: etcd has an authority of its own for that."""
    with open(f"{pki.TLS}/{_PEER_KEY}", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()

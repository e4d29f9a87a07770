"""The command line and the environment, as MinIO reads them: which drive is ours, and what all nodes must agree on."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

FREE = frozenset({"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_OPTS", "MINIO_CI_CD"})
"""Variables that may differ from node to node."""
_SHORTEST_USER, _SHORTEST_PASSWORD = 3, 8


class WrongError(Exception):
    """It can not start like this; the process ends with the sentence."""


@dataclass(frozen=True)
class Arguments:
    """What one node was started with."""

    drives: tuple[str, ...]
    """URLs of all drives, in the order of the command line."""
    own: int
    """Place of this node's drive among them."""
    address: str
    console: str
    user: str
    password: str

    @property
    def path(self) -> Path:
        """The folder of this node's drive."""
        return Path(urlsplit(self.drives[self.own]).path)

    @property
    def nodes(self) -> tuple[str, ...]:
        """host:port of each drive's node."""
        return tuple(urlsplit(drive).netloc for drive in self.drives)

    @property
    def quorum(self) -> int:
        """Drives that must take a write, and be there for a read."""
        return len(self.drives) // 2 + 1

    @property
    def token(self) -> str:
        """What nodes prove to each other: they must have the same root credentials."""
        text = " ".join((self.user, self.password))
        return hmac.new(text.encode(), b"kbz stand-in peer", hashlib.sha256).hexdigest()

    def configuration(self) -> dict[str, object]:
        """Return what must be the same on all nodes."""
        environment = {
            name: hashlib.sha256(value.encode()).hexdigest()
            for name, value in os.environ.items()
            if name.startswith("MINIO_") and name not in FREE
        }
        return {"drives": list(self.drives), "environment": environment}


def parse(words: list[str]) -> Arguments:
    """Return the arguments of `minio server`; WrongError with a sentence as MinIO would say it."""
    parser = argparse.ArgumentParser(prog="minio")
    parser.add_argument("command", choices=["server"])
    parser.add_argument("drives", nargs="+")
    parser.add_argument("--address", default=":9000")
    parser.add_argument("--console-address", default=":9001")
    # Options may stand between the drives.
    options = parser.parse_intermixed_args(words)
    drives = tuple(options.drives)
    if len(drives) < 2 or not all(urlsplit(drive).scheme == "http" for drive in drives):
        raise WrongError("this stand-in serves only http://HOST:PORT/PATH of several nodes")
    if len(set(drives)) != len(drives):
        raise WrongError("duplicate endpoints found")
    user = os.environ.get("MINIO_ROOT_USER", "minioadmin")
    password = os.environ.get("MINIO_ROOT_PASSWORD", "minioadmin")
    if len(user) < _SHORTEST_USER or len(password) < _SHORTEST_PASSWORD:
        raise WrongError("Invalid credentials: the user has at least 3, the password 8 characters")
    own = _own(drives, options.address)
    return Arguments(drives, own, options.address, options.console_address, user, password)


def _own(drives: tuple[str, ...], address: str) -> int:
    port = int(address.rpartition(":")[2])
    local = [
        number
        for number, drive in enumerate(drives)
        if urlsplit(drive).port == port and _is_local(urlsplit(drive).hostname or "")
    ]
    if len(local) != 1:
        raise WrongError(f"no endpoint, or several, point to this host at port {port}: {drives}")
    return local[0]


def _is_local(host: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True

"""Puts through the one entry of MinIO with its own SDK, and what of them is there afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3
from minio import Minio

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

ADDRESSES = {"minio-01": "10.0.0.134", "minio-02": "10.0.0.131", "minio-03": "10.0.0.132"}
ENTRY = "minio-01"


class ObjectLedger:
    """Objects that MinIO has acknowledged: written through the entry, and looked for on any node."""

    def __init__(self, kbz: Kbz) -> None:
        self._kbz = kbz
        known = load_credentials(kbz.root / "credentials")
        self.bucket = known["MINIO_BUCKET"].reveal()
        self.user = known["MINIO_ROOT_USER"].reveal()
        self._password = known["MINIO_ROOT_PASSWORD"]
        self._acknowledged: list[str] = []

    @property
    def password(self) -> str:
        """The root user's."""
        return self._password.reveal()

    @contextmanager
    def node(self, host: str = ENTRY) -> Iterator[Minio]:
        """Give the SDK's client of one node, inside the lab's network."""
        with (
            urllib3.PoolManager(timeout=10, retries=False) as pool,
            visiting(NAMESPACES / self._kbz.root.name),
        ):
            yield Minio(
                f"{ADDRESSES[host]}:9000",
                access_key=self.user,
                secret_key=self.password,
                secure=False,
                http_client=pool,
            )

    def put(self, count: int = 5) -> None:
        """Put objects through the entry; each is acknowledged, or the test fails."""
        with self.node() as client:
            for _ in range(count):
                name = f"ledger/{len(self._acknowledged)}"
                content = _content(name)
                client.put_object(self.bucket, name, io.BytesIO(content), len(content))
                self._acknowledged.append(name)

    def lost(self, host: str) -> list[str]:
        """Return what was acknowledged and does not come back, with its content, from a node."""
        assert self._acknowledged
        with self.node(host) as client:
            return [
                name
                for name in self._acknowledged
                if client.get_object(self.bucket, name).read() != _content(name)
            ]


def _content(name: str) -> bytes:
    return f"content of {name} ".encode() * 1000

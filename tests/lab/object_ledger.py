"""Puts through the one entry of MinIO with its own SDK, and what of them is there afterwards."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.conftest import Kbz

ADDRESSES = {"minio-01": "10.0.0.134", "minio-02": "10.0.0.131", "minio-03": "10.0.0.132"}
ENTRY = "minio-01"

# Run inside the lab's network: nothing is sent to 10.0.0.0/16 from outside. The password goes in by stdin.
_PROGRAM = """
import io, sys
import urllib3
from minio import Minio
user, password = sys.stdin.read().splitlines()
address, word, bucket, *names = sys.argv[1:]
pool = urllib3.PoolManager(timeout=10, retries=False)
client = Minio(f"{address}:9000", access_key=user, secret_key=password, secure=False, http_client=pool)
if word == "put":
    for name in names:
        content = f"content of {name}".encode() * 1000
        client.put_object(bucket, name, io.BytesIO(content), len(content))
elif word == "get":
    for name in names:
        answer = client.get_object(bucket, name)
        print(name, answer.read() == f"content of {name}".encode() * 1000)
elif word == "versioning":
    print(client.get_bucket_versioning(bucket).status)
elif word == "suspend":
    from minio.versioningconfig import SUSPENDED, VersioningConfig
    client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
"""


class ObjectLedger:
    """Named objects: written through the entry, and looked for on any node."""

    def __init__(self, kbz: Kbz, lab: str) -> None:
        self._lab = lab
        text = (kbz.root / "credentials/minio.env").read_text()
        pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
        self._values = {pair[0]: pair[1] for pair in pairs}
        self.acknowledged: list[str] = []

    @property
    def password(self) -> str:
        """The root user's."""
        return self._values["MINIO_ROOT_PASSWORD"]

    def put(self, count: int = 5) -> None:
        """Put objects through the entry; each is acknowledged, or the test fails."""
        first = len(self.acknowledged)
        names = [f"ledger/{number}" for number in range(first, first + count)]
        self.ask("put", *names)
        self.acknowledged += names

    def lost(self, host: str) -> list[str]:
        """Return what was acknowledged and can not be read, with its content, on a node."""
        lines = self.ask("get", *self.acknowledged, host=host).split("\n")
        good = {line.split()[0] for line in lines if line.endswith(" True")}
        return [name for name in self.acknowledged if name not in good]

    def ask(self, word: str, *names: str, host: str = ENTRY) -> str:
        """Run one word of the program in the lab's network."""
        argv = ["ip", "netns", "exec", self._lab, sys.executable, "-c", _PROGRAM, ADDRESSES[host], word]
        done = subprocess.run(
            [*argv, self._values["MINIO_BUCKET"], *names],
            input=f"{self._values['MINIO_ROOT_USER']}\n{self.password}\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

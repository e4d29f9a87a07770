"""Objects in MinIO: one put each, confirmed when a write quorum of drives has it."""

from __future__ import annotations

import io

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException
from urllib3.exceptions import HTTPError, NewConnectionError

from keybuzz.model.core.errors import KbzError
from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

_FAULTS = (MinioException, HTTPError, OSError, ValueError)


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return S3Client(workload)


class S3Client:
    """The minio SDK without its retries: a repeated put would hide an error."""

    def __init__(self, workload: Workload) -> None:
        # A bucket of its own, without versions: in the one of the backups each object would leave some behind.
        self._bucket = workload.place.replace("_", "-")
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=PATIENCE, read=PATIENCE), retries=False, maxsize=1
        )
        self._minio = Minio(
            f"{workload.address}:{workload.port}",
            access_key=workload.user,
            secret_key=workload.password.reveal(),
            secure=False,
            # Known, so that no put asks for it first.
            region="us-east-1",
            http_client=self._pool,
        )

    def prepare(self) -> None:
        """Make the bucket, empty."""
        self.remove()
        try:
            self._minio.make_bucket(self._bucket)
        except _FAULTS as error:
            raise _failed(error) from error

    def write(self, number: int) -> None:
        """Put one object whose name is the number."""
        content = str(number).encode()
        try:
            self._minio.put_object(self._bucket, str(number), io.BytesIO(content), len(content))
        except _FAULTS as error:
            raise _failed(error) from error

    def read(self) -> frozenset[int]:
        """Return the number that every object holds: it is got back, and not only listed."""
        try:
            found = [item.object_name or "" for item in self._minio.list_objects(self._bucket)]
            return frozenset(int(self._content(name)) for name in found)
        except _FAULTS as error:
            raise _failed(error) from error

    def _content(self, name: str) -> bytes:
        answer = self._minio.get_object(self._bucket, name)
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def remove(self) -> None:
        """Remove the objects and the bucket."""
        try:
            if self._minio.bucket_exists(self._bucket):
                names = [item.object_name or "" for item in self._minio.list_objects(self._bucket)]
                errors = self._minio.remove_objects(
                    self._bucket, [DeleteObject(name) for name in names]
                )
                for error in errors:
                    raise UnconfirmedError(f"{error.name} was not removed: {error.code}")
                self._minio.remove_bucket(self._bucket)
        except _FAULTS as error:
            raise _failed(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _failed(error: Exception) -> KbzError:
    """Return whether a request can have arrived."""
    if isinstance(error, NewConnectionError):
        return NotSentError(str(error))
    return UnconfirmedError(str(error))

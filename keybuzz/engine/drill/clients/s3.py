"""Objects in MinIO: one put each, confirmed when a write quorum of drives has it."""

from __future__ import annotations

import io
import uuid
from contextlib import suppress

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException
from urllib3.exceptions import HTTPError, NewConnectionError

from keybuzz.engine.drill.clients import NAME, PATIENCE, Client, NotSentError, UnconfirmedError
from keybuzz.model.drill import Workload
from keybuzz.model.errors import KbzError

BUCKET = NAME.replace("_", "-")
"""A bucket of the drill's own, without versions: in the one of the backups each object would leave some behind."""
_FAULTS = (MinioException, HTTPError, OSError, ValueError)


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return S3Client(workload)


class S3Client:
    """The minio SDK without its retries: a repeated put would hide an error."""

    def __init__(self, workload: Workload) -> None:
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
            self._minio.make_bucket(BUCKET)
        except _FAULTS as error:
            raise _failed(error) from error

    def write(self, number: int) -> None:
        """Put one object whose name is the number."""
        content = str(number).encode()
        try:
            self._minio.put_object(BUCKET, str(number), io.BytesIO(content), len(content))
        except _FAULTS as error:
            raise _failed(error) from error

    def read(self) -> frozenset[int]:
        """Return the number of every object."""
        try:
            found = self._minio.list_objects(BUCKET)
            return frozenset(int(item.object_name or "0") for item in found)
        except _FAULTS as error:
            raise _failed(error) from error

    def remove(self) -> None:
        """Remove the objects and the bucket."""
        try:
            if self._minio.bucket_exists(BUCKET):
                names = [item.object_name or "" for item in self._minio.list_objects(BUCKET)]
                errors = self._minio.remove_objects(BUCKET, [DeleteObject(name) for name in names])
                for error in errors:
                    raise UnconfirmedError(f"{error.name} was not removed: {error.code}")
                self._minio.remove_bucket(BUCKET)
        except _FAULTS as error:
            raise _failed(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _failed(error: Exception) -> KbzError:
    """Say whether a request can have arrived."""
    if isinstance(error, NewConnectionError):
        return NotSentError(str(error))
    return UnconfirmedError(str(error))


def not_round_trip(workload: Workload) -> str:
    """Put an object into the workload's bucket, get it back, compare, and remove that version for good.

    Return why that did not work; empty when it did. Nothing is left behind: `kbz health --deep` may ask often.
    """
    client = S3Client(workload)
    name, content = f"{NAME}/{uuid.uuid4()}", uuid.uuid4().bytes * 64
    minio, bucket = client._minio, workload.database
    try:
        written = minio.put_object(bucket, name, io.BytesIO(content), len(content))
        try:
            answer = minio.get_object(bucket, name)
            try:
                if answer.read() != content:
                    return f"{bucket}/{name} came back with another content"
            finally:
                answer.close()
                answer.release_conn()
        finally:
            with suppress(*_FAULTS):
                minio.remove_object(bucket, name, version_id=written.version_id)
    except _FAULTS as error:
        return str(error)
    finally:
        client.close()
    return ""

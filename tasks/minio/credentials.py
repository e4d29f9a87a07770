"""The credentials of MinIO in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

CREDENTIALS = (
    Credential(
        "MINIO_ROOT_USER", "minio.env", "kb_minio", ("minio",), weak=frozenset({"minioadmin"})
    ),
    Credential("MINIO_ROOT_PASSWORD", "minio.env", "", ("minio",), length=32),
    Credential("MINIO_BUCKET", "minio.env", "keybuzz-backups", ("minio",)),
)

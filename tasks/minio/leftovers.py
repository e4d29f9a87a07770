"""What older scripts left beside MinIO, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = retired(
    units=("minio-docker.service", "minio.service"),
    files=("/tmp/minio_env",),
)

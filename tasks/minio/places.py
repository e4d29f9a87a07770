"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

PLACES = (
    Places("MINIO_ROOT_USER", ("MINIO_ROOT_USER", "MINIO_ACCESS_KEY")),
    Places("MINIO_ROOT_PASSWORD", ("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY")),
)

"""How applications know MinIO: its official endpoint, and the words that mean it. Data only."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service

SERVICE = Service(
    "MinIO",
    "minio",
    (9000,),
    "minio",
    frozenset({9001, 9090}),
    frozenset({"s3", "minio"}),
    re.compile(r"minio\w*|s3\w*"),
    entry="minio-01",
)
"""The one entry point of MinIO is this node (MIN-5); which address it has is in servers.tsv."""

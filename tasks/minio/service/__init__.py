"""MinIO for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential
from tasks.minio.service.offer import OFFER, PORT

SERVICE = Service(
    "MinIO",
    "minio",
    (PORT,),
    "minio",
    frozenset({9001, 9090}),
    frozenset({"s3", "minio"}),
    re.compile(r"minio\w*|s3\w*"),
    entry="minio-01",
    offer=OFFER,
)
"""The one entry point of MinIO is this node (MIN-5); which address it has is in servers.tsv."""

S3 = WorkloadKind("s3", "minio", "minio", "tasks.minio.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

CREDENTIALS = (
    Credential(
        "MINIO_ROOT_USER", "minio.env", "kb_minio", ("minio",), weak=frozenset({"minioadmin"})
    ),
    Credential("MINIO_ROOT_PASSWORD", "minio.env", "", ("minio",), length=32),
    Credential("MINIO_BUCKET", "minio.env", "keybuzz-backups", ("minio",)),
)

PLACES = (
    Places("MINIO_ROOT_USER", ("MINIO_ROOT_USER", "MINIO_ACCESS_KEY")),
    Places("MINIO_ROOT_PASSWORD", ("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY")),
)

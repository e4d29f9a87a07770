"""The protocol that clients of the cluster speak, for drills of it and of its entries. Data only."""

from __future__ import annotations

from keybuzz.model.reports.drill import WorkloadKind

S3 = WorkloadKind("s3", "minio", "minio", "keybuzz.engine.drill.clients.s3")

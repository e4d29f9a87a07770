"""The protocol that clients of the cluster speak, for drills of it and of its entries. Data only."""

from __future__ import annotations

from keybuzz.model.reports.drill import WorkloadKind

POSTGRESQL = WorkloadKind(
    "postgresql", "psycopg", "psycopg[binary]", "keybuzz.engine.drill.clients.postgresql"
)

"""Why MinIO is not upgraded one member at a time. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Upgrades

UPGRADES = (
    Upgrades(
        "minio",
        "min.io/docs, mc admin update: no rolling upgrade, that is one node at a time",
        refused="all its nodes must change at once, and upstream forbids one at a time; "
        "kbz has no verb for that (docs/how-to/upgrade-an-image.md)",
    ),
)

"""Which versions of PostgreSQL may follow which below Patroni: minor releases only. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.upgrades import Also, Upgrades

UPGRADES = (
    Upgrades(
        "postgres",
        "postgresql.org/support/versioning: minor releases change no format of data, in either direction",
        series=1,
        closed="another major version needs pg_upgrade, which no verb of kbz runs",
        backup="postgres",
        also=(Also("patroni", re.compile(r"(?<=:)\d+\.\d+(?=-)")),),
    ),
)

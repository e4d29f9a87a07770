"""What older scripts left beside Patroni, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = retired(
    units=("patroni-docker.service", "patroni.service", "postgres-docker.service"),
    files=("/tmp/patroni_build.log",),
)

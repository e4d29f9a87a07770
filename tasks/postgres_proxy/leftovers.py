"""What older scripts left beside the entry to PostgreSQL, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = retired(
    units=("haproxy-docker.service", "pgbouncer-docker.service"),
    files=(
        "/etc/haproxy/haproxy.cfg",
        "/etc/pgbouncer/pgbouncer.ini",
        "/etc/pgbouncer/userlist.txt",
    ),
    folders=("/etc/haproxy", "/etc/pgbouncer"),
)

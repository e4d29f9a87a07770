"""What older scripts left beside the entry to PostgreSQL, by name. Data only.

The same folders are those of Debian's own HAProxy and PgBouncer, which may serve something else on this host.
"""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = (
    *retired(units=("haproxy-docker.service", "pgbouncer-docker.service")),
    *retired(files=("/etc/haproxy/haproxy.cfg",), folders=("/etc/haproxy",), service="haproxy"),
    *retired(
        files=("/etc/pgbouncer/pgbouncer.ini", "/etc/pgbouncer/userlist.txt"),
        folders=("/etc/pgbouncer",),
        service="pgbouncer",
    ),
)

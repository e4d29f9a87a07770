"""What older scripts left beside ProxySQL, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired

LEFTOVERS = retired(
    units=("proxysql-docker.service",),
    files=("/usr/local/bin/monitor_proxysql.sh", "/usr/local/bin/monitor_galera.sh"),
)

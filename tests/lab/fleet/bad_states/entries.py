"""States of the entries to services; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import Bad

_ADMIN = "/opt/keybuzz/{}/run/admin.sock"

SETTINGS = (
    Bad(
        "K-69",
        "haproxy-02",
        f"h {_ADMIN.format('haproxy')} 'disable frontend postgres'",
        f"h {_ADMIN.format('haproxy')} 'show stat'",
        "PAUSED",
        f"h {_ADMIN.format('haproxy')} 'enable frontend postgres'",
        ("postgres-proxy.listens", "critical", "5432"),
    ),
)
TAKEN = (
    Bad(
        "K-76",
        "haproxy-01",
        "".join(
            f"h {_ADMIN.format('haproxy')} 'set server postgres_primary/{name} state maint'; "
            for name in ("db-master-01", "db-slave-01", "db-slave-02")
        ),
        f"h {_ADMIN.format('haproxy')} 'show stat'",
        "MAINT",
        "".join(
            f"h {_ADMIN.format('haproxy')} 'set server postgres_primary/{name} state ready'; "
            for name in ("db-master-01", "db-slave-01", "db-slave-02")
        ),
        ("postgres-proxy.backend.single", "critical", "sessions go to no member"),
    ),
    Bad(
        "K-47",
        "haproxy-02",
        "for a in 10.0.0.124 10.0.0.125; do "
        "iptables -I OUTPUT -d $a -p tcp --dport 26379 -j REJECT --reject-with tcp-reset; done",
        f"h {_ADMIN.format('redis-lb')} 'show stat'",
        "MAINT",
        "for a in 10.0.0.124 10.0.0.125; do "
        "iptables -D OUTPUT -d $a -p tcp --dport 26379 -j REJECT --reject-with tcp-reset; done",
        ("redis-proxy.watcher", "critical", "no majority of the Sentinels answers"),
    ),
)

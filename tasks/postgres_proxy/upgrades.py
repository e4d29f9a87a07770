"""Which versions of HAProxy and PgBouncer may follow which: they keep no data. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_HAPROXY = (
    "haproxy/haproxy, BRANCHES: most configurations still work on a later branch; "
    "a host whose HAProxy does not start stops the upgrade"
)
_PGBOUNCER = "pgbouncer.org/changelog: 1.24 and 1.25 remove no setting of an earlier one"

UPGRADES = (
    Upgrades(
        "haproxy",
        "haproxy/haproxy, BRANCHES: releases of a branch contain bug fixes only",
        moves=tuple(
            Move(before, after, _HAPROXY)
            for before, after in (
                ((2, 8), (2, 9)),
                ((2, 8), (3, 0)),
                ((2, 9), (3, 0)),
                ((3, 0), (3, 1)),
                ((3, 0), (3, 2)),
                ((3, 1), (3, 2)),
            )
        ),
        closed="only branches that the table knows may follow",
        keeps_data=False,
    ),
    Upgrades(
        "pgbouncer",
        "pgbouncer.org/changelog: patch releases of 1.23 to 1.25 are fixes",
        moves=tuple(
            Move(before, after, _PGBOUNCER)
            for before, after in (((1, 23), (1, 24)), ((1, 23), (1, 25)), ((1, 24), (1, 25)))
        ),
        closed="only series that the table knows may follow",
        keeps_data=False,
    ),
)

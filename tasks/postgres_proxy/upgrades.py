"""Which versions of HAProxy and PgBouncer may follow which: they keep no data. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_HAPROXY = "docs.haproxy.org and the announcement of each branch: the configuration is checked by the new image first"

UPGRADES = (
    Upgrades(
        "haproxy",
        "haproxy.org: releases of a branch are bug fixes only",
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
        "pgbouncer.org/changelog: releases of 1.x take the settings of earlier ones",
        series=1,
        closed="another major version is not known",
        keeps_data=False,
    ),
)

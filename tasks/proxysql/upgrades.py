"""Which versions of ProxySQL may follow which. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

UPGRADES = (
    Upgrades(
        "proxysql",
        "sysown/proxysql, release notes: patch releases change no table",
        moves=(
            Move(
                (2, 6),
                (2, 7),
                "sysown/proxysql, release notes of 2.7: its own database is converted at the start",
                "the database on disk has tables of the later one",
            ),
        ),
        closed="only series that the table knows may follow",
        keeps_data=False,
    ),
)

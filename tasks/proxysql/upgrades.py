"""Which versions of ProxySQL may follow which. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_BACK = (
    "ProxySQL supports no downgrade: an earlier one deletes the tables in its database that it does not know "
    "(sysown/proxysql#647)"
)

UPGRADES = (
    Upgrades(
        "proxysql",
        "sysown/proxysql#647: each version can upgrade from a previous one",
        moves=(
            Move(
                (2, 6),
                (2, 7),
                "sysown/proxysql, the definitions of the tables: the same from 2.6.2 to 2.7.2",
                _BACK,
            ),
        ),
        closed="only series that the table knows may follow",
        no_way_back=_BACK,
        keeps_data=False,
    ),
)

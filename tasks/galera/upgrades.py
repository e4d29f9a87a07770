"""Which versions of MariaDB may follow which in a Galera cluster. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Upgrades

UPGRADES = (
    Upgrades(
        "mariadb-galera",
        "mariadb.com/docs: upgrading between minor versions, one node at a time",
        closed="another series needs mariadb-upgrade on each node, which no verb of kbz runs, "
        "and a node that takes a full copy from a later series does not come up",
    ),
)

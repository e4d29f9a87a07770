"""Which versions of MariaDB may follow which in a Galera cluster. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Upgrades

UPGRADES = (
    Upgrades(
        "mariadb-galera",
        "mariadb.com/docs, upgrading between minor versions: they do not change the data dictionary",
        closed="another series needs mariadb-upgrade on each node, which no verb of kbz runs, "
        "and a rolling upgrade in which a node takes a full copy does not work",
        no_way_back="several releases raise Galera's protocol version, and then no node goes back once all run it "
        "(release notes of 10.11.8, .9, .11, .15 and .16)",
        backup="galera",
    ),
)

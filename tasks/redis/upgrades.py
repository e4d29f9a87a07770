"""Which versions of Redis may follow which, one member at a time with the master last. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_RDB = "a replica that has loaded from it, and its own RDB file, have a format that the earlier one does not load"
_EIGHT = "redis.io/docs, install/upgrade/cluster: 7.x to 8, one node at a time, replicas first"

UPGRADES = (
    Upgrades(
        "redis",
        "redis/redis, src/rdb.h: RDB_VERSION is 11 in all of 7.2 and 12 in all of 7.4 (read up to 7.2.6 and 7.4.1)",
        moves=(
            Move(
                (7, 2),
                (7, 4),
                "redis/redis, src/rdb.c loads every earlier RDB; 00-RELEASENOTES of 7.4: its format changes",
                f"{_RDB} (redis/redis#14064)",
            ),
            Move((7, 2), (8, 0), _EIGHT, _RDB),
            Move((7, 4), (8, 0), _EIGHT, "types of Redis 8 in the data are none of an earlier one"),
        ),
        closed="only series that the table knows may follow",
        no_way_back="nothing of upstream says that its releases load each other's data in both directions",
        way_back=((7, 2), (7, 4)),
        backup="redis",
    ),
)

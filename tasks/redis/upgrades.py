"""Which versions of Redis may follow which, one member at a time with the master last. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_RDB = "a replica that has loaded from it, and its own RDB file, have a format that the earlier one does not load"

UPGRADES = (
    Upgrades(
        "redis",
        "redis/redis, release notes of 7.2: patch releases change no format of data",
        moves=(
            Move((7, 2), (7, 4), "redis/redis, 00-RELEASENOTES of 7.4: RDB version 12", _RDB),
            Move((7, 2), (8, 0), "redis.io: upgrade to Redis 8 from Redis Open Source 7.x", _RDB),
            Move(
                (7, 4),
                (8, 0),
                "redis.io: upgrade to Redis 8 from Redis Open Source 7.x",
                "types of Redis 8 in the data are none of an earlier one",
            ),
        ),
        closed="only series that the table knows may follow",
        backup="redis",
    ),
)

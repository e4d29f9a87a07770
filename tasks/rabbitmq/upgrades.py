"""Which versions of RabbitMQ may follow which, one node at a time. Data only.

All feature flags of a series are enabled before the next one starts: a node that misses one does not start.
"""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_TABLE = "rabbitmq.com/docs/upgrade: version upgradability; rolling upgrades skip no series"
_FLAGS = "feature flags and tables of the later series are none of the earlier one, and no downgrade is supported"

UPGRADES = (
    Upgrades(
        "rabbitmq",
        "rabbitmq.com/docs/rolling-upgrade: patch releases of a series may be skipped",
        moves=tuple(
            Move(before, after, _TABLE, _FLAGS)
            for before, after in (
                ((3, 12), (3, 13)),
                ((3, 13), (4, 0)),
                ((4, 0), (4, 1)),
                ((4, 1), (4, 2)),
            )
        ),
        closed="a rolling upgrade of RabbitMQ skips no series",
        backup="rabbitmq",
    ),
)

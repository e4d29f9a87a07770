"""Which versions of RabbitMQ may follow which, one node at a time. Data only.

All stable feature flags of a series are enabled before the next one starts: a node that misses one may not start.
What its nodes say of that is read before (readiness.py).
"""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_TABLE = "rabbitmq.com/docs/upgrade: version upgradability; rolling upgrades skip no series"
_BACK = (
    "RabbitMQ supports no downgrade, and some patch releases could not even go back to the one before "
    "(rabbitmq.com/docs/upgrade: downgrades)"
)
_SKIP = "upstream advises to take 3.13.6 or later (release notes of 3.13.3 and 3.13.6)"

UPGRADES = (
    Upgrades(
        "rabbitmq",
        "rabbitmq.com/docs/rolling-upgrade: patch releases of a series may be skipped",
        moves=tuple(
            Move(before, after, _TABLE, _BACK)
            for before, after in (
                ((3, 12), (3, 13)),
                ((3, 13), (4, 0)),
                ((4, 0), (4, 1)),
                ((4, 1), (4, 2)),
            )
        ),
        closed="a rolling upgrade of RabbitMQ skips no series, and kbz knows none after 4.2",
        no_way_back=_BACK,
        never=tuple(((3, 13, patch), _SKIP) for patch in (3, 4, 5)),
        backup="rabbitmq",
    ),
)

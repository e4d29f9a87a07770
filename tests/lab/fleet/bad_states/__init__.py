"""Bad states of docs/states.md that are made together, in rounds; what is said of each is in the table."""

from __future__ import annotations

from tests.lab.fleet.bad_states import entries, galera, hosts, postgres, rabbitmq, redis
from tests.lab.fleet.bad_states.made import HINT, TOOLS, Bad

_PARTS = (postgres, redis, rabbitmq, galera, entries, hosts)
ROUNDS: dict[str, tuple[Bad, ...]] = {
    "settings": tuple(bad for part in _PARTS for bad in part.SETTINGS),
    "taken away": tuple(bad for part in _PARTS for bad in part.TAKEN),
}
"""The first take nothing from applications but on one of two entries; the second take a member away, or its work.

Not here: a daemon that hangs, which makes every look at its host slow (S-44, with MinIO), and a replica that cannot
save, which ends at the next write and forgets what was set live (K-54, with Redis).
"""
TYPED = {
    "settings": ("patroni", ("patroni.member.tags", "patroni.settings.of-roles")),
}
"""By round: a module whose restart is tried on the command line, and what is named then: one of these."""
__all__ = ["HINT", "ROUNDS", "TOOLS", "TYPED", "Bad"]

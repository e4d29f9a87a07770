"""Which versions of Qdrant may follow which: one minor version at a time. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_STEPS = (
    "qdrant.tech/documentation/upgrades: no minor version is skipped, its latest patch comes first"
)

UPGRADES = (
    Upgrades(
        "qdrant",
        "qdrant.tech/documentation/upgrades: patch releases of a minor version",
        moves=tuple(
            Move(
                (1, minor),
                (1, minor + 1),
                _STEPS,
                "the storage of the later one is not for the earlier one",
            )
            for minor in range(15, 20)
        ),
        closed="Qdrant's storage is only for the next minor version",
    ),
)

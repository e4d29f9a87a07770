"""Which versions of Qdrant may follow which: one minor version at a time, from the latest patch. Data only."""

from __future__ import annotations

from keybuzz.model.host.upgrades import Move, Upgrades

_BACK = "Qdrant supports no downgrade: data is converted at the start (qdrant/landing_page#711, its FAQ)"

UPGRADES = (
    Upgrades(
        "qdrant",
        "qdrant.tech/documentation/upgrades: the latest patch of a minor version",
        moves=tuple(
            Move(
                patch[:2],
                (patch[0], patch[1] + 1),
                "qdrant.tech/documentation/upgrades: no minor version is skipped, its latest patch comes first",
                _BACK,
                least=patch,
            )
            # The latest of each minor version (github.com/qdrant/qdrant, tags).
            for patch in ((1, 15, 5), (1, 16, 3), (1, 17, 1), (1, 18, 3))
        ),
        closed="a node takes only data of the minor version before its own, and kbz knows none after 1.19",
        no_way_back=_BACK,
    ),
)

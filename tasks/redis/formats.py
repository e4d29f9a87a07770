"""Which format of data each version of Redis loads, by Redis' own history of RDB versions. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.formats import Formats, growing

FORMATS = Formats(
    service="Redis",
    image="redis",
    called="RDB",
    tag=re.compile(r":v?(\d+)\.(\d+)(?:[.\-@]|$)"),
    example="redis:7.2.5-alpine",
    until=(9,),
    # The version that first wrote each (Redis, src/rdb.h).
    rows=growing(
        ((2, 6), ("1", "2", "3", "4", "5", "6")),
        ((3, 2), ("7",)),
        ((4, 0), ("8",)),
        ((5, 0), ("9",)),
        ((7, 0), ("10",)),
        ((7, 2), ("11",)),
        ((7, 4), ("12",)),
        ((8, 6), ("13",)),
        ((8, 8), ("14",)),
    ),
)

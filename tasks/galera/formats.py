"""Which data each series of MariaDB opens: that of its own and of all older ones. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.formats import Formats, growing

_SERIES = (
    *((10, minor) for minor in range(12)),
    *((11, minor) for minor in (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    *((12, minor) for minor in (0, 1, 2, 3)),
)

FORMATS = Formats(
    service="MariaDB",
    image="mariadb-galera",
    called="MariaDB",
    tag=re.compile(r":v?(\d+)\.(\d+)\."),
    example="bitnamilegacy/mariadb-galera:10.11.6",
    until=(13,),
    rows=growing(*((one, (f"{one[0]}.{one[1]}",)) for one in _SERIES)),
)

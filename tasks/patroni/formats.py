"""Which data each major version of PostgreSQL opens: its own, and no other (PG_VERSION). Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.formats import Formats, Loads

FORMATS = Formats(
    service="PostgreSQL",
    image="postgres",
    called="PG_VERSION",
    tag=re.compile(r":v?(\d+)\.\d+(?:[.\-@]|$)"),
    example="postgres:16.4-bookworm",
    until=(20,),
    rows=tuple(Loads((major,), (str(major),)) for major in range(19, 9, -1)),
)

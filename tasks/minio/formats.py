"""Which drives each release of MinIO loads, by the versions in their format.json. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.formats import Formats, Loads

FORMATS = Formats(
    service="MinIO",
    image="minio",
    called="format.json",
    tag=re.compile(r":RELEASE\.(\d{4})-(\d{2})-(\d{2})T"),
    example="minio/minio:RELEASE.2024-10-02T17-50-41Z",
    until=(2027, 1, 1),
    # Version of the file, its kind, and version of the kind. An older one is only read to be converted at the start.
    rows=(Loads((2018, 1, 1), ("1/xl/3",)),),
)

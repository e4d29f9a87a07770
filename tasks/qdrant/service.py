"""Qdrant for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

import re

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.applications.services import Service
from keybuzz.site.credentials.schema import Credential

SERVICE = Service(
    "Qdrant",
    "qdrant",
    (6333, 6334),
    "qdrant",
    frozenset({6335}),
    frozenset({"qdrant"}),
    re.compile(r"qdrant\w*"),
    entry="vector-db-01",
)
QDRANT = WorkloadKind("qdrant", "http.client", "of Python itself", "tasks.qdrant.drill.client")

CREDENTIALS = (Credential("QDRANT_API_KEY", "qdrant.env", "", ("qdrant",), length=32),)

PLACES = (
    Places(
        "QDRANT_API_KEY",
        ("QDRANT__SERVICE__API_KEY", "QDRANT_API_KEY"),
        (),
        (("/opt/keybuzz/qdrant/con*/*.yaml", r"^\s+api_key:\s*[\"']?([^\"'\s#]+)"),),
    ),
)

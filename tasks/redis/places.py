"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

_FILES = (
    "/opt/keybuzz/redis/*.conf",
    "/opt/keybuzz/redis/*/*.conf",
    "/opt/keybuzz/redis/*/*/*.conf",
    "/etc/redis/*.conf",
)
_PASSWORD = r"^\s*(?:requirepass|masterauth|sentinel\s+auth-pass\s+\S+)\s+(\S+)"
_MASTER = r"^\s*sentinel\s+monitor\s+(\S+)"

PLACES = (
    Places(
        "REDIS_PASSWORD",
        ("REDIS_PASSWORD",),
        ("--requirepass", "--masterauth"),
        tuple((path, _PASSWORD) for path in _FILES),
    ),
    Places("REDIS_SENTINEL_PASSWORD", ("REDIS_SENTINEL_PASSWORD",)),
    Places(
        "REDIS_MASTER_NAME", ("REDIS_MASTER_NAME",), (), tuple((path, _MASTER) for path in _FILES)
    ),
)

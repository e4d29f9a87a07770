"""The parameters of site.yaml that module redis reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Count, Text
from keybuzz.site.parameters.parameter import Parameter

MAXMEMORY = Parameter(
    "redis.maxmemory",
    Text(r"[0-9]{1,15}|[1-9][0-9]{0,8}([kK][bB]|[mM][bB]|[gG][bB])", "a size such as 1500mb"),
    "Memory that Redis may use for data; 0 is no limit.",
)
MIN_REPLICAS = Parameter(
    "redis.min_replicas_to_write",
    Count(0, 2),
    "Replicas that must follow closely (10 s) before the master takes a write; 1 bounds what a cut-off master loses.",
    "0",
)
PARAMETERS = (MAXMEMORY, MIN_REPLICAS)

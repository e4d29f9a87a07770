"""The parameters of site.yaml that module redis-proxy reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import HAPROXY_TIME, Count
from keybuzz.site.parameters.parameter import Parameter

MAX_CONNECTIONS = Parameter(
    "redis_proxy.max_connections", Count(), "Sessions to Redis on each host of the entry."
)
SESSION_TIMEOUT = Parameter(
    "haproxy.session_timeout", HAPROXY_TIME, "How long a session may be silent before it is closed."
)
PARAMETERS = (MAX_CONNECTIONS, SESSION_TIMEOUT)

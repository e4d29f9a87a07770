"""The parameters of site.yaml that module rabbitmq-proxy reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Count
from keybuzz.site.parameters.parameter import Parameter

MAX_CONNECTIONS = Parameter(
    "haproxy.max_connections", Count(), "Sessions that HAProxy takes on one host."
)
PARAMETERS = (MAX_CONNECTIONS,)

"""The parameters of site.yaml that module postgres-proxy reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import HAPROXY_TIME, Count
from keybuzz.site.parameters.parameter import Parameter

MAX_CONNECTIONS = Parameter(
    "haproxy.max_connections", Count(), "Sessions that HAProxy takes on one host."
)
SESSION_TIMEOUT = Parameter(
    "haproxy.session_timeout", HAPROXY_TIME, "How long a session may be silent before it is closed."
)
MAX_CLIENTS = Parameter(
    "pgbouncer.max_client_conn", Count(), "Clients that PgBouncer takes on one host."
)
POOL = Parameter(
    "pgbouncer.default_pool_size", Count(), "Sessions to PostgreSQL for one database and user."
)
MAX_DATABASE = Parameter(
    "pgbouncer.max_db_connections", Count(), "Sessions to one database of PostgreSQL from one host."
)
PARAMETERS = (MAX_CONNECTIONS, SESSION_TIMEOUT, MAX_CLIENTS, POOL, MAX_DATABASE)

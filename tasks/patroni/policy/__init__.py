"""What the policy knows of PostgreSQL and Patroni (keybuzz.policy.modules): the image, and programs that connect."""

from keybuzz.policy.readers.code.clients import Client
from tasks.patroni.policy.image import PG_2

RULES = (PG_2,)
_PSQL = Client({"-h": "host", "--host": "host", "-p": "port", "--port": "port"}, ("-h", "-p"))
CLIENTS = dict.fromkeys(
    (
        "psql",
        "pg_dump",
        "pg_dumpall",
        "pg_restore",
        "pg_isready",
        "createdb",
        "dropdb",
        "createuser",
        "pgbench",
        "vacuumdb",
        "pg_basebackup",
        "reindexdb",
        "pgcli",
    ),
    _PSQL,
)

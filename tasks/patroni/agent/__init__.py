"""The part of the agent that knows PostgreSQL and Patroni (keybuzz.agent.parts)."""

from keybuzz.agent.guard import access

KINDS = {
    "postgres-role": "postgres",
    "postgres-no-role": "postgres",
    "postgres-database": "postgres",
    "postgres-extension": "postgres",
    "postgres-backup-rights": "postgres",
    "patroni-settings": "patroni",
    "patroni-leader": "patroni",
    "patroni-slot": "patroni",
    "patroni-identity": "patroni",
    "patroni-rest-password": "patroni",
}
NETWORK = {"postgres-login": "login", "patroni-login": "rest_login"}
NOT_ONLY_LOOKS = {"patroni-login": access.PROBE}
PROBES = {"PATCH /config": "rest_login"}
MARKS = {"postgresql": "marks"}

"""The part of the agent that knows MariaDB, and asks whatever speaks its protocol (keybuzz.agent.parts)."""

from keybuzz.agent.guard import access

KINDS = {
    "mariadb-data": "mariadb",
    "mysql-database": "mariadb",
    "mysql-user": "mariadb",
    "mysql-no-user": "mariadb",
}
NETWORK = {"mysql-query": "query", "mysql-checksums": "query"}
HOST = {"galera-position": "position"}
NOT_ONLY_LOOKS = {"galera-position": access.CHANGE}
MARKS = {"mariadb": "marks"}

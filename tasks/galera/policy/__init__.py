"""What the policy knows of MariaDB (keybuzz.policy.modules): programs that connect to it."""

from keybuzz.policy.readers.code.clients import Client

_MYSQL = Client(
    {"-h": "host", "--host": "host", "-P": "port", "--port": "port", "--password": "password"},
    ("-h", "-P"),
    ("-p",),
)
CLIENTS = dict.fromkeys(
    (
        "mysql",
        "mariadb",
        "mysqldump",
        "mariadb-dump",
        "mysqladmin",
        "mariadb-admin",
        "mysqlimport",
        "mariadb-import",
        "mysqlcheck",
        "mysqlslap",
        "mysqlsh",
        "mycli",
    ),
    _MYSQL,
)

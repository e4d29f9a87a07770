"""How applications know MariaDB: its official endpoint, and the words that mean it. Data only."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service

SERVICE = Service(
    "MariaDB",
    "galera",
    (3306,),
    "proxysql",
    frozenset({6033, 6032, 33060, 4567}),
    frozenset({"mysql", "mysqli", "mariadb", "mysql2", "mysqlx", "pymysql"}),
    re.compile(r"mysql\w*|mariadb\w*|maria"),
)

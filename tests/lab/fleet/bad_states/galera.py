"""States of MariaDB Galera; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import Bad

SETTINGS = (
    Bad(
        "K-61",
        "maria-01",
        'm "SET GLOBAL wsrep_OSU_method=RSU"',
        "m \"SHOW GLOBAL VARIABLES LIKE 'wsrep_osu_method'\"",
        "RSU",
        'm "SET GLOBAL wsrep_OSU_method=TOI"',
        ("galera.settings.live", "critical", "wsrep_osu_method is RSU"),
    ),
    Bad(
        "K-62",
        "maria-02",
        'm "SET GLOBAL innodb_flush_log_at_trx_commit=0"',
        "m \"SHOW GLOBAL VARIABLES LIKE 'innodb_flush_log_at_trx_commit'\"",
        "0",
        'm "SET GLOBAL innodb_flush_log_at_trx_commit=1"',
        ("galera.settings.live", "critical", "innodb_flush_log_at_trx_commit is 0"),
    ),
    Bad(
        "K-63",
        "maria-03",
        "m \"CREATE USER dba@'%' IDENTIFIED BY 'a-long-password-1'; GRANT ALL ON *.* TO dba@'%' WITH GRANT OPTION\"",
        "m \"SHOW GRANTS FOR dba@'%'\"",
        "GRANT ALL PRIVILEGES ON *.*",
        "m \"DROP USER dba@'%'\"",
        drift="galera/user:dba@%",
    ),
    Bad(
        "K-05",
        "maria-02",
        'm "SET GLOBAL wsrep_reject_queries=ALL"',
        "m \"SHOW GLOBAL VARIABLES LIKE 'wsrep_reject_queries'\"",
        "ALL",
        'm "SET GLOBAL wsrep_reject_queries=NONE"',
        ("galera.node.writable", "critical", "wsrep_reject_queries is ALL"),
    ),
)
TAKEN = (
    Bad(
        "K-73",
        "maria-03",
        'docker exec -d mariadb sh -c \'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mysql -h 127.0.0.1 -u root -e '
        '"FLUSH TABLES WITH READ LOCK; SELECT SLEEP(3600)"\'; sleep 1',
        "m \"SHOW STATUS LIKE 'wsrep_local_state_comment'\"",
        "Donor/Desynced",
        "m \"SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE info LIKE '%SLEEP(3600)%' "
        'AND id <> CONNECTION_ID()" | while read x; do m "$x"; done',
        ("galera.node.synced", "critical", "Donor/Desynced"),
    ),
)

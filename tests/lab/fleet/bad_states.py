"""Bad states of docs/states.md that are made together: how each is made, and what its daemon's own tool and kbz say.

States on different services are planted at once, as in `faults_seen.py`, and looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass

TOOLS = r"""
r() { docker exec redis sh -c 'F=/opt/keybuzz/redis/conf/redis.conf
REDISCLI_AUTH=$(sed -n "s/^requirepass //p" $F | tr -d \")
export REDISCLI_AUTH; exec redis-cli -h $(sed -n "s/^bind \([0-9.]*\).*/\1/p" $F) "$@"' r "$@"; }
s() { docker exec redis-sentinel redis-cli -h $(hostname -I | tr ' ' '\n' | grep -m1 '^10\.0\.0\.') -p 26379 "$@"; }
q() { docker exec rabbitmq rabbitmqctl -q "$@"; }
p() { docker exec patroni psql -h /var/run/postgresql -XqAt -U kb_admin -d postgres -c "$1"; }
pc() { docker exec patroni patronictl -c /etc/patroni/patroni.yml "$@"; }
m() { docker exec mariadb sh -c '
MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mysql -h 127.0.0.1 -u root -N -e "$1"' m "$1"; }
h() { python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall((sys.argv[2] + "\n").encode()); s.shutdown(1)
print(s.makefile().read())' "$1" "$2"; }
"""
"""The daemons' own tools, as functions of a shell on the host."""


@dataclass(frozen=True)
class Bad:
    """One state of one service, made on one host."""

    id: str
    """Its row of docs/states.md."""
    host: str
    """Its name, or module/role: whoever has that role now."""
    make: str
    """With `TOOLS`, on the host."""
    ask: str
    """The daemon's own tool, on the same host."""
    says: str
    """What it then answers: a part of it."""
    undo: str
    """How it is taken back on the host: the row's way out, where that is no verb of kbz."""
    health: tuple[str, str, str] | None = None
    """Check, level, and a part of the message; None where health has nothing to say."""
    drift: str = ""
    """What is in the id of an item of `kbz drift`; empty where it has nothing to say."""
    seen_from: str = "itself"
    """Where health sees it: on the same host, or on `others`, which meet it from outside."""


_PATRONI = "/opt/keybuzz/patroni/config/patroni.yml"
_ADMIN = "/opt/keybuzz/{}/run/admin.sock"
_HBA = 'F=$(p "show hba_file"); docker exec patroni sh -c "{} $F"; p "select pg_reload_conf()"'

SETTINGS = (
    Bad(
        "K-50",
        "patroni/leader",
        'p "alter database keybuzz set default_transaction_read_only=on"',
        'p "select setconfig from pg_db_role_setting"',
        "default_transaction_read_only=on",
        'p "alter database keybuzz reset default_transaction_read_only"',
        ("patroni.settings.of-roles", "critical", "default_transaction_read_only=on"),
    ),
    Bad(
        "K-51",
        "patroni/replica",
        _HBA.format("echo host all someone 10.0.0.7/32 trust >>"),
        "p \"select user_name, auth_method from pg_hba_file_rules where auth_method = 'trust'\"",
        "{someone}|trust",
        _HBA.format("sed -i '/someone/d'"),
        ("patroni.hba.open", "critical", "someone 10.0.0.7 trust"),
    ),
    Bad(
        "K-52",
        "patroni/leader",
        "pc switchover --scheduled 2031-01-01T00:00 --force",
        "pc list",
        "Switchover scheduled at: 2031-01-01",
        "pc flush keybuzz-pg switchover --force",
        ("patroni.switchover.scheduled", "warn", "2031-01-01"),
    ),
    Bad(
        "S-04",
        "patroni/leader",
        "p \"select pg_create_physical_replication_slot('old_standby', true)\"",
        "p \"select active from pg_replication_slots where slot_name = 'old_standby'\"",
        "f",
        "p \"select pg_drop_replication_slot('old_standby')\"",
        ("patroni.slots.inactive", "warn", "old_standby"),
    ),
    Bad(
        "K-01",
        "patroni/replica",
        f"sed -i 's/nofailover: false/nofailover: true/' {_PATRONI}; docker kill -s HUP patroni",
        "pc list",
        "nofailover",
        f"sed -i 's/nofailover: true/nofailover: false/' {_PATRONI}; docker kill -s HUP patroni",
        ("patroni.member.tags", "critical", "nofailover"),
        drift=f"file:{_PATRONI}",
    ),
    Bad(
        "K-03",
        "redis/replica",
        "r config set replica-priority 0",
        "r info replication",
        "slave_priority:0",
        "r config set replica-priority 100",
        ("redis.replica.priority", "warn", "never promotes it"),
    ),
    Bad(
        "S-43",
        "minio-02",
        "hostname other; cp --remove-destination $(readlink -f /etc/resolv.conf) /etc/resolv.conf; "
        "echo 'nameserver 10.0.99.99' >/etc/resolv.conf",
        "hostname; cat /etc/resolv.conf",
        "10.0.99.99",
        "hostname minio-02; ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
        ("base.resolvers.used", "warn", ""),
    ),
    Bad(
        "K-53",
        "redis/master",
        "r config set min-replicas-to-write 3",
        "r set kbz:probe 1",
        "NOREPLICAS",
        "r config set min-replicas-to-write 0",
        ("redis.writes.taken", "critical", "min-replicas-to-write is 3"),
    ),
    Bad(
        "K-54",
        "redis/replica",
        "docker exec redis chmod 500 /data; r bgsave; sleep 1",
        "r info persistence",
        "rdb_last_bgsave_status:err",
        "docker exec redis chmod 700 /data; r bgsave; sleep 1",
        ("redis.writes.taken", "warn", "rdb_last_bgsave_status is err"),
        drift="directory:/opt/keybuzz/redis/data",
    ),
    Bad(
        "K-55",
        "redis/replica",
        "r config set replica-read-only no",
        "r info replication",
        "slave_read_only:0",
        "r config set replica-read-only yes",
        ("redis.replica.read-only", "warn", "lost with the next copy"),
    ),
    Bad(
        "K-56",
        "redis/master",
        "s sentinel monitor other 127.0.0.1 6379 2",
        "s sentinel masters",
        "other",
        "s sentinel remove other",
        ("redis.sentinel.name", "warn", "also monitors other"),
    ),
    Bad(
        "K-57",
        "queue-01",
        """q set_policy cap '.*' '{"max-length":1}'""",
        "q list_policies",
        "cap",
        "q clear_policy cap",
        drift="rabbitmq/policy:cap in /",
    ),
    Bad(
        "K-58",
        "queue-02",
        """q set_operator_policy op '.*' '{"message-ttl":1000}' --apply-to queues""",
        "q list_operator_policies",
        "message-ttl",
        "q clear_operator_policy op",
        drift="rabbitmq/operator-policy:op in /",
    ),
    Bad(
        "K-59",
        "queue-03",
        "q trace_on",
        "q list_vhosts name tracing",
        "true",
        "q trace_off",
        drift="rabbitmq/tracing:/",
    ),
    Bad(
        "K-60",
        "queue-02",
        """q set_user_limits kb_rmq '{"max-channels":500}'""",
        "q list_user_limits --user kb_rmq",
        "500",
        "q clear_user_limits kb_rmq max-channels",
        drift="rabbitmq/limit:user kb_rmq",
    ),
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
        "K-64",
        "minio-01",
        "docker network create --subnet 10.0.0.96/27 oops",
        "ip -4 route",
        "10.0.0.96/27 dev br-",
        "docker network rm oops",
        drift="minio-01/added:route 10.0.0.96/27",
    ),
    Bad(
        "K-65",
        "minio-02",
        "ip route add blackhole 10.0.0.200/32",
        "ip -4 route",
        "blackhole 10.0.0.200",
        "ip route del blackhole 10.0.0.200/32",
        drift="minio-02/added:route 10.0.0.200/32",
    ),
    Bad(
        "K-66",
        "minio-03",
        "echo /usr/lib/nothing.so >/etc/ld.so.preload",
        "cat /etc/ld.so.preload",
        "nothing.so",
        "rm /etc/ld.so.preload",
        drift="minio-03/added:/etc/ld.so.preload",
    ),
    Bad(
        "K-67",
        "proxysql-01",
        "echo 'root2:x:0:0::/root:/bin/sh' >>/etc/passwd; echo '* * * * * root true' >/etc/cron.d/x",
        "getent passwd root2",
        "root2:x:0:0",
        "sed -i '/^root2:/d' /etc/passwd; rm /etc/cron.d/x",
        drift="proxysql-01/added:account root2",
    ),
    Bad(
        "K-68",
        "proxysql-02",
        r"printf '[Timer]\nOnCalendar=daily\n' >/etc/systemd/system/nightly.timer",
        "systemctl list-unit-files nightly.timer",
        "nightly.timer",
        "rm /etc/systemd/system/nightly.timer; systemctl daemon-reload",
        drift="proxysql-02/unit:nightly.timer",
    ),
    Bad(
        "K-69",
        "haproxy-02",
        f"h {_ADMIN.format('haproxy')} 'disable frontend postgres'",
        f"h {_ADMIN.format('haproxy')} 'show stat'",
        "PAUSED",
        f"h {_ADMIN.format('haproxy')} 'enable frontend postgres'",
        ("postgres-proxy.listens", "critical", "5432"),
    ),
)
"""They take nothing from applications but on one of two entries, so that they can be there all at once."""

TAKEN = (
    Bad(
        "K-70",
        "patroni/leader",
        'p "alter role kb_app connection limit 0"',
        "p \"select rolconnlimit from pg_roles where rolname = 'kb_app'\"",
        "0",
        'p "alter role kb_app connection limit -1"',
        ("postgres-proxy.login", "critical", "too many connections for role"),
        seen_from="others",
    ),
    Bad(
        "K-71",
        "redis/replica",
        "r config set appendonly no",
        "r config get appendonly",
        "no",
        "r config set appendonly yes; until r info persistence | grep -q aof_rewrite_in_progress:0; do sleep 0.2; done",
        ("redis.aof.enabled", "critical", "off"),
        drift="redis-settings:live",
    ),
    Bad(
        "K-72",
        "queue-03",
        "q eval 'rabbit_maintenance:suspend_all_client_listeners().'",
        "ss -ltn | grep ':5672 ' || echo no listener",
        "no listener",
        "q eval 'rabbit_maintenance:resume_all_client_listeners().'",
        ("rabbitmq.node.answers", "critical", "does not answer"),
    ),
    Bad(
        "K-73",
        "maria-03",
        'docker exec -d mariadb sh -c \'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mysql -h 127.0.0.1 -u root -e '
        '"FLUSH TABLES WITH READ LOCK; SELECT SLEEP(600)"\'; sleep 1',
        "m \"SHOW STATUS LIKE 'wsrep_local_state_comment'\"",
        "Donor/Desynced",
        "m \"SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' "
        'AND id <> CONNECTION_ID()" | while read x; do m "$x"; done',
        ("galera.node.synced", "critical", "Donor/Desynced"),
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
    Bad(
        "S-44",
        "minio-01",
        "kill -STOP $(pidof dockerd)",
        "timeout 3 docker version || echo it hangs",
        "it hangs",
        "kill -CONT $(pidof dockerd)",
        ("base.docker.running", "critical", ""),
    ),
    Bad(
        "K-74",
        "minio-03",
        "docker kill -s STOP minio",
        "docker top minio -o pid,stat | tail -n 1",
        "T",
        "docker kill -s CONT minio",
        ("minio.node.serves", "critical", "does not answer"),
    ),
    Bad(
        "K-75",
        "patroni/replica",
        "pkill -STOP -f '[p]ostgres -D'",
        "ps -eo stat,args | grep '[p]ostgres -D'",
        "T",
        "pkill -CONT -f '[p]ostgres -D'",
        ("patroni.server.answers", "critical", "PostgreSQL hangs"),
    ),
    Bad(
        "K-76",
        "haproxy-01",
        "".join(
            f"h {_ADMIN.format('haproxy')} 'set server postgres_primary/{name} state maint'; "
            for name in ("db-master-01", "db-slave-01", "db-slave-02")
        ),
        f"h {_ADMIN.format('haproxy')} 'show stat'",
        "MAINT",
        "".join(
            f"h {_ADMIN.format('haproxy')} 'set server postgres_primary/{name} state ready'; "
            for name in ("db-master-01", "db-slave-01", "db-slave-02")
        ),
        ("postgres-proxy.backend.single", "critical", "sessions go to nobody"),
    ),
)
"""Each takes a member, or what applications do, away."""

ROUNDS = {"settings": SETTINGS, "taken away": TAKEN}
SPARE = {
    "settings": {},
    "taken away": dict.fromkeys(("rabbitmq", "galera"), 0),
}
"""What `kbz status` calls spare meanwhile."""
REFUSED: dict[str, dict[str, tuple[str, ...]]] = {
    "settings": {"patroni": ("patroni.member.tags", "patroni.settings.of-roles")},
    "taken away": {},
}
"""Restarts that stop before anything is touched meanwhile, and what they name: one of these."""

"""States of PostgreSQL and Patroni; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import Bad

_PATRONI = "/opt/keybuzz/patroni/config/patroni.yml"
_HBA = 'F=$(p "show hba_file"); docker exec patroni sh -c "{} $F"; p "select pg_reload_conf()"'

SETTINGS = (
    Bad(
        "K-50",
        "patroni/leader",
        'p "alter database keybuzz set default_transaction_read_only=on"',
        'p "select setconfig from pg_db_role_setting"',
        "default_transaction_read_only=on",
        'p "alter database keybuzz reset default_transaction_read_only"; '
        # Sessions that a pool has opened meanwhile keep it until they end.
        "p \"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'keybuzz'\"",
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
        "K-02",
        "patroni/leader",
        f"sed -i 's/noloadbalance: false/noloadbalance: true/' {_PATRONI}; docker kill -s HUP patroni",
        "pc list",
        "noloadbalance",
        f"sed -i 's/noloadbalance: true/noloadbalance: false/' {_PATRONI}; docker kill -s HUP patroni",
        ("patroni.member.tags", "warn", "noloadbalance"),
        drift=f"file:{_PATRONI}",
    ),
    Bad(
        "K-77",
        "patroni/replica",
        "docker exec -d patroni sh -c 'while :; do psql -h /var/run/postgresql -XqAt -U kb_admin -d postgres "
        '-c "select pg_wal_replay_pause()"; sleep 0.3; done\'; '
        "w 'p \"select pg_is_wal_replay_paused()\" | grep -q t'",
        'p "select pg_is_wal_replay_paused()"',
        "t",
        "pkill -f '[d]o psql -h'; p \"select pg_wal_replay_resume()\"",
        ("patroni.replay.paused", "warn", "replay was paused by hand"),
    ),
)
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
        "K-75",
        "patroni/replica",
        "pkill -STOP -f '[p]ostgres -D'",
        "ps -eo stat,args | grep '[p]ostgres -D'",
        "T",
        "pkill -CONT -f '[p]ostgres -D'",
        ("patroni.server.answers", "critical", "PostgreSQL hangs"),
    ),
    Bad(
        "K-80",
        "patroni/leader",
        f"cp -p {_PATRONI} /root/patroni.yml; sed -i 's#^namespace: .*#namespace: /service/#' {_PATRONI}",
        "docker exec patroni grep ^namespace /etc/patroni/patroni.yml",
        "/service/",
        f"cat /root/patroni.yml >{_PATRONI}; rm /root/patroni.yml",
        drift="patroni-identity:cluster",
        refuses=(("run", "patroni"), "namespace is /service/, described as /db/"),
    ),
)

"""States of Redis and Sentinel; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import Bad

SETTINGS = (
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
        "K-53",
        "redis/master",
        "r config set min-replicas-to-write 3",
        "r set kbz:probe 1",
        "NOREPLICAS",
        "r config set min-replicas-to-write 0",
        ("redis.writes.taken", "critical", "min-replicas-to-write is 3"),
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
        "K-04",
        "redis/replica",
        "r config set protected-mode no; r acl setuser default nopass",
        "docker exec redis redis-cli -h $(hostname -I | tr ' ' '\\n' | grep -m1 '^10\\.0\\.0\\.') config get port",
        "6379",
        "kbz run redis --limit redis --lift-freeze redis --reason 'a state of a test ends'",
        ("redis.users.described", "critical", "default"),
        drift="redis-password:default",
    ),
)
TAKEN = (
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
        "S-13",
        "redis/replica",
        "docker run -d --name foreign --network host --entrypoint redis-server "
        "$(docker inspect -f '{{.Image}}' redis) --port 6399 --save '' --protected-mode no --replicaof "
        "$(r info replication | tr -d '\\r' | sed -n 's/^master_host://p') 6379 --masterauth "
        "$(sed -n 's/^requirepass //p' /opt/keybuzz/redis/conf/redis.conf | tr -d '\"'); "
        "w 's sentinel replicas kb-redis-master | grep -q :6399'; docker rm -f foreign",
        "s sentinel replicas kb-redis-master",
        ":6399",
        'e() { docker exec redis-sentinel redis-cli -h $a -p 26379 sentinel "$@"; }; '
        "for a in 10.0.0.123 10.0.0.124 10.0.0.125; do e reset kb-redis-master; "
        "w '[ $(e replicas kb-redis-master | grep -c ^runid$) = 2 ]'; "
        "w 'e ckquorum kb-redis-master | grep -q ^OK'; done",
        ("redis.sentinel.quorum", "warn", ":6399"),
    ),
)

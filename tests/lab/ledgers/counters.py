"""What daemons count of writes, and which files a host has written: a verb that only looks moves none of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.lab.conftest import Kbz
from tests.lab.ledgers.galera_ledger import GaleraLedger
from tests.lab.ledgers.queue_ledger import QueueLedger
from tests.lab.ledgers.redis_ledger import RedisLedger

Counters = dict[str, str]
"""By what is counted, and where."""

_PSQL = "docker exec patroni psql -qAth /var/run/postgresql -U kb_admin postgres -c "
_XID = _PSQL + '"select pg_snapshot_xmax(pg_current_snapshot())"'
"""The transaction id that is given next: on a replica the last that it knows of."""
_OBJECTS = "find /opt/keybuzz/minio/data -type f -printf '%p %C@\\n' | sort | sha256sum"
_REVISION = "cat /var/lib/rancher/k3s/server/db/etcd/member/state.json"
_WRITTEN = (
    "find /etc /home /opt /root /srv /usr/local /tmp /var/spool /var/tmp /var/lib/kbz /run/kbz /run/sshd"
    " -mindepth 1 '(' -path '/opt/keybuzz/*/data' -o -path '*/raft' -o -path '/opt/keybuzz/*/log*'"
    " -o -path '/opt/keybuzz/redis-lb/status' ')' -prune"
    " -o -newerct @{since:.3f} -print 2>/dev/null || true"
)
"""Where no daemon writes by itself: what is found was written by the one who looked.

Not the time of such a folder itself: in /tmp, Docker's exec leaves a file for a moment. The watcher of Redis writes a
heartbeat every few seconds.
"""


def counters(kbz: Kbz, hosts: Iterable[str]) -> Counters:
    """Return every counter of every cluster that is on these hosts."""
    parts = {
        "db-master-01": _postgres,
        "redis-01": _redis,
        "maria-01": _galera,
        "queue-01": _rabbitmq,
        "minio-01": _objects,
        "k8s-master-01": _etcd,
    }
    there = [part for host, part in parts.items() if host in set(hosts)]
    return {name: value for part in there for name, value in part(kbz).items()}


def written(kbz: Kbz, hosts: Iterable[str], since: float) -> set[str]:
    """Return `host path` of what was written on the hosts since then, in seconds since the epoch."""
    script = _WRITTEN.format(since=since)

    def on(host: str) -> list[str]:
        return [f"{host} {path}" for path in kbz.on(host, script).splitlines()]

    with ThreadPoolExecutor(8) as pool:
        return {line for lines in pool.map(on, hosts) for line in lines}


def moved(
    kbz: Kbz, hosts: Collection[str], look: Callable[[], object]
) -> tuple[Counters, set[str]]:
    """Return the counters that moved and the files that were written while somebody looked."""
    before, since = counters(kbz, hosts), time.time()
    assert before, "something is counted there"
    look()
    files = written(kbz, hosts, since)
    after = counters(kbz, hosts)
    assert before.keys() == after.keys()
    changes = {n: f"{before[n]} -> {after[n]}" for n in before if before[n] != after[n]}
    return changes, files


def _postgres(kbz: Kbz) -> Counters:
    hosts = ("db-master-01", "db-slave-01", "db-slave-02")
    return {f"PostgreSQL xid {host}": kbz.on(host, _XID).strip() for host in hosts}


def _redis(kbz: Kbz) -> Counters:
    """Return how often each command that writes was called: what `MONITOR` would show of them."""
    ledger, found = RedisLedger(kbz), {}
    for host in ("redis-01", "redis-02", "redis-03"):
        with ledger.node(host) as node:
            # The names of a category only; what it counts itself is none of them.
            writing = {
                name.partition("|")[0] for name in node.execute_command("ACL", "CAT", "write")
            }
            calls = {
                name: told["calls"]
                for stat, told in node.info("commandstats").items()
                if (name := stat.removeprefix("cmdstat_").partition("|")[0]) in writing
            }
            found[f"Redis writes {host}"] = json.dumps(calls, sort_keys=True)
            found[f"Redis keys {host}"] = str(node.dbsize())
    return found


def _galera(kbz: Kbz) -> Counters:
    ledger = GaleraLedger(kbz)
    hosts = ("maria-01", "maria-02", "maria-03")
    name = "wsrep_last_committed"
    return {f"{name} {host}": ledger.status(host, name) for host in hosts}


def _rabbitmq(kbz: Kbz) -> Counters:
    told = QueueLedger(kbz).api("queue-01", "/api/overview")
    counted = {"publish", "deliver", "get", "ack", "confirm"}
    stats = {
        name: value for name, value in told.get("message_stats", {}).items() if name in counted
    }
    totals = {name: told["object_totals"].get(name) for name in ("queues", "exchanges")}
    return {
        "RabbitMQ messages": json.dumps(
            [stats, totals, told.get("queue_totals", {})], sort_keys=True
        )
    }


def _objects(kbz: Kbz) -> Counters:
    hosts = ("minio-01", "minio-02", "minio-03")
    return {f"MinIO files {host}": kbz.on(host, _OBJECTS) for host in hosts}


def _etcd(kbz: Kbz) -> Counters:
    hosts = ("k8s-master-01", "k8s-master-02", "k8s-master-03")
    return {
        f"etcd revision {host}": str(json.loads(kbz.on(host, _REVISION))["mark"]) for host in hosts
    }

"""What the daemons of an old deployment count themselves of writes and of changes: a look moves none of it."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pymysql
import redis
from minio import Minio

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.ledgers import galera_ledger, object_ledger, queue_ledger, redis_ledger
from tests.lab.legacy.old_fleet import OldFleet

Counters = Mapping[str, object]
"""By what is counted, and where."""

PROXYSQL = {"proxysql-01": "10.0.0.173", "proxysql-02": "10.0.0.174"}
_MARIADB = (
    "show global status where variable_name regexp "
    "'^(com_(insert|update|delete|replace|truncate|load|create_|alter_|drop_|rename_|grant|revoke|flush)"
    "|innodb_rows_(inserted|updated|deleted)|wsrep_(last_committed|replicated|local_commits|cluster_conf_id)$)'"
)
# Its process, the log of the quorum queue, and what each node counts of its protocols.
_RABBITMQ = (
    "[{N, rpc:call(N, os, getpid, []), maps:with([last_index, commit_index], ra:key_metrics({'%2F_orders', N})),"
    " rpc:call(N, rabbit_global_counters, overview, [])} || N <- lists:sort(rabbit_nodes:list_running())]."
)


def of_redis(old: OldFleet) -> Counters:
    """Return how often each command that writes was called, changes since the last save, and the process."""

    def on(host: str) -> object:
        password = old.secrets()["REDIS_PASSWORD"]
        client = redis.Redis(
            redis_ledger.ADDRESSES[host], 6379, password=password, decode_responses=True
        )
        with _inside(old), closing(client):
            writing = {str(name).partition("|")[0] for name in client.acl_cat("write")}
            calls = {
                name: told["calls"]
                for stat, told in client.info("commandstats").items()
                if (name := stat.removeprefix("cmdstat_").partition("|")[0]) in writing
            }
            changes = client.info("persistence")["rdb_changes_since_last_save"]
            return client.info("server")["run_id"], changes, client.dbsize(), calls

    return _on_each(redis_ledger.ADDRESSES, on)


def of_galera(old: OldFleet) -> Counters:
    """Return what each node counts of statements that write, of rows, and of what the cluster has committed."""

    def on(host: str) -> object:
        password = old.secrets()["MARIADB_ROOT_PASSWORD"]
        with (
            _inside(old),
            closing(
                pymysql.connect(host=galera_ledger.ADDRESSES[host], user="root", password=password)
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(_MARIADB)
            return cursor.fetchall()

    return _on_each(galera_ledger.ADDRESSES, on)


def of_proxysql(old: OldFleet) -> Counters:
    """Return how often each part of the configuration was loaded: each LOAD counts, also of the same."""
    secret = old.secrets()

    def on(host: str) -> object:
        user = "kbadmin" if "PROXYSQL_ADMIN_PASSWORD" in secret else "admin"
        password = secret.get("PROXYSQL_ADMIN_PASSWORD", "admin")
        with (
            _inside(old),
            closing(
                pymysql.connect(host=PROXYSQL[host], port=6032, user=user, password=password)
            ) as connection,
            connection.cursor() as cursor,
        ):
            # Of the servers those that were loaded, not where the monitor has moved them.
            cursor.execute(
                "SELECT name, version, checksum FROM runtime_checksums_values WHERE name<>'mysql_servers' ORDER BY name"
            )
            return cursor.fetchall()

    return _on_each(PROXYSQL, on)


def of_rabbitmq(old: OldFleet) -> Counters:
    """Return indices of the queue's log, messages in and out, the processes, and everything that is defined."""
    login = b64encode(f"kb_rmq:{old.secrets()['RABBITMQ_PASSWORD']}".encode()).decode()
    address = queue_ledger.ADDRESSES["queue-01"]
    asked = urllib.request.Request(
        f"http://{address}:15672/api/definitions", headers={"authorization": f"Basic {login}"}
    )
    with _inside(old), urllib.request.urlopen(asked, timeout=30) as answer:
        defined = json.loads(answer.read())
    evaluated = f'docker exec -u rabbitmq rabbitmq rabbitmqctl -q eval "{_RABBITMQ}"'
    return {"defined": defined, "counted": old.kbz.on("queue-01", evaluated)}


def of_minio(old: OldFleet) -> Counters:
    """Return each object with its version and time, and on each drive every file that MinIO wrote for them."""
    secret = old.secrets()["MINIO_ROOT_PASSWORD"]
    with _inside(old):
        client = Minio(
            f"{object_ledger.ADDRESSES['minio-01']}:9000",
            access_key="admin-6f2c",
            secret_key=secret,
            secure=False,
        )
        objects: dict[str, object] = {
            f"{bucket.name}/{item.object_name}": (item.etag, item.last_modified, item.size)
            for bucket in client.list_buckets()
            for item in client.list_objects(bucket.name, recursive=True)
        }
    files = (
        "find /opt/keybuzz/minio/data -type f -not -path '*/tmp/*' -printf '%p %i %C@\\n' | sort"
    )
    return objects | _on_each(object_ledger.ADDRESSES, lambda host: old.kbz.on(host, files))


def of_all(*parts: Callable[[OldFleet], Counters]) -> Callable[[OldFleet], Counters]:
    """Return what several services count."""
    return lambda old: {
        f"{part.__name__} {name}": value for part in parts for name, value in part(old).items()
    }


def _inside(old: OldFleet) -> Any:
    return visiting(NAMESPACES / old.kbz.root.name)


def _on_each(hosts: Mapping[str, str], on: Callable[[str], object]) -> dict[str, object]:
    with ThreadPoolExecutor(len(hosts)) as pool:
        return dict(zip(hosts, pool.map(on, hosts), strict=True))

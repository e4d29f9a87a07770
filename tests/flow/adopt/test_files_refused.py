"""Real files, read by the agent, refused by the module's rollout: newer formats, and data of another cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import State
from keybuzz.model.core.resource import Resource
from tasks.galera.agent import mariadb
from tasks.minio.agent import minio
from tasks.patroni.agent import patroni
from tasks.rabbitmq.agent import rabbitmq
from tasks.redis.agent import redis
from tests.unit.support.site_values import described, memory_site, with_parameters

CONTEXT: Any = SimpleNamespace(docker=SimpleNamespace(inspect=lambda name: None))
HISTORY = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Data:
    """How a module's data is named, and read."""

    module: str
    kind: str
    read: Callable[[Any, Any], Any]


POSTGRES = Data("patroni", "patroni-identity", patroni.read_patroni_identity)
REDIS = Data("redis", "redis-data", redis.read_redis_data)
RABBIT = Data("rabbitmq", "rabbitmq-data", rabbitmq.read_rabbitmq_data)
OBJECTS = Data("minio", "minio-drive", minio.read_minio_drive)
MARIADB = Data("galera", "mariadb-data", mariadb.read_mariadb_data)


def drive(xl: str = "3", identity: str = "a", place: int = 0) -> bytes:
    """Return the format.json of a drive in a set of three."""
    disks = [f"disk-{n}" for n in range(3)]
    inside = {"version": xl, "this": disks[place], "sets": [disks]}
    return json.dumps({"version": "1", "format": "xl", "id": identity, "xl": inside}).encode()


def refused(tmp_path: Path, data: Data, *on: Files) -> RefusedError:
    """Lay files down on members, let the agent read them and the module judge; return the refusal."""
    found = next(module for module in all_modules() if module.name == data.module)
    site = with_parameters(memory_site(), {"minio.data_must_be_mount": "no"})
    seen = {}
    descriptions = described(site, found)
    for number, (host, files) in enumerate(zip(descriptions, on, strict=False)):
        folder = tmp_path / str(number)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        seen[host] = Observation(
            _read(data, descriptions[host].modules[found.name].resources, folder), {}
        )
    view = View(descriptions, Snapshot(seen, {}), frozenset(seen), site.digest_key)
    with pytest.raises(RefusedError) as caught:
        found.foreign(view.live(found, site))
    assert caught.value.hint
    return caught.value


def _read(data: Data, resources: tuple[Resource, ...], folder: Path) -> dict[str, State]:
    """Return the host's states: as described, but for the data, which is read."""
    key = memory_site().digest_key
    states = {r.identity: State(r.identity, True, dict(r.wanted(key))) for r in resources}
    (resource,) = [r for r in resources if r.kind == data.kind]
    query = {**resource.query(), "name": str(folder), "data": str(folder)}
    said = data.read(query | {"url": "http://127.0.0.1:1"}, CONTEXT)["attributes"]
    attributes = {n: tuple(v) if isinstance(v, list) else v for n, v in said.items()}
    return {**states, resource.identity: State(resource.identity, True, attributes)}


@pytest.mark.parametrize(
    ("data", "files", "what", "way"),
    [
        (
            REDIS,
            {"dump.rdb": b"REDIS0012\xfa"},
            "the data is RDB 12; 11 is the newest",
            "Redis 7.4",
        ),
        (
            REDIS,
            {"appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0013\xfa"},
            "the data is RDB 13",
            "Redis 8.6",
        ),
        (
            RABBIT,
            {"mnesia/rabbit@x-feature_flags": b"[message_containers,quorum_queue].\n"},
            "has the feature flags message_containers",
            "RabbitMQ 3.13",
        ),
        (
            OBJECTS,
            {".minio.sys/format.json": drive(xl="4")},
            "holds a format.json of version 1/xl/4",
            "",
        ),
        (
            MARIADB,
            {"data/mariadb_upgrade_info": b"11.4.2-MariaDB"},
            "the data was written by MariaDB 11.4; the frozen image opens 10.11",
            "MariaDB 11.4",
        ),
        (POSTGRES, {"PG_VERSION": b"17\n"}, "postgres_major is 17", ""),
    ],
    ids=lambda value: value.module if isinstance(value, Data) else "",
)
def test_what_a_newer_release_wrote_is_refused_with_the_release_that_opens_it(
    tmp_path: Path, data: Data, files: Files, what: str, way: str
) -> None:
    error = refused(tmp_path, data, files)
    assert what in error.what
    assert f"put {way}" in error.hint or not way


@pytest.mark.parametrize(
    ("data", "on", "what"),
    [
        (
            MARIADB,
            [
                {"data/grastate.dat": f"uuid: {HISTORY}\n".encode()},
                {"data/grastate.dat": f"uuid: {HISTORY[::-1]}\n".encode()},
            ],
            "the members hold data of different clusters",
        ),
        (
            OBJECTS,
            [
                {".minio.sys/format.json": drive()},
                {".minio.sys/format.json": drive(place=1)},
                {".minio.sys/format.json": drive(identity="b", place=2)},
            ],
            "belongs to another deployment (b)",
        ),
        (
            RABBIT,
            [{"mnesia/rabbit@of-others/schema.DAT": b""}],
            "the data is of rabbit@of-others, and rabbit@",
        ),
    ],
    ids=lambda value: value.module if isinstance(value, Data) else "",
)
def test_what_another_cluster_wrote_is_refused(
    tmp_path: Path, data: Data, on: list[Files], what: str
) -> None:
    assert what in refused(tmp_path, data, *on).what

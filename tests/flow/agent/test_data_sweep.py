"""Data is recognised by what it is, wherever it lies; and where it lies elsewhere, nothing is installed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.adopt.ground import READING
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.host.ground import DataSweep, Ground
from keybuzz.site.module import Description
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet
from tests.flow.support.links import register
from tests.flow.support.unix_server import Request, respond, serving

KINDS = (
    *("postgresql", "mariadb", "minio", "rabbitmq", "redis", "sentinel"),
    *("k3s", "proxysql", "haproxy", "pgbouncer"),
)


AUTHORITY = hashlib.sha256(b"authority").hexdigest()[:12]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield made


def old_data(root: Path) -> dict[str, Path]:
    """Lay down what each service leaves, in folders with names of no meaning."""
    places = {kind: root / f"volume-{number}" / "x" for number, kind in enumerate(KINDS)}
    for place in places.values():
        place.mkdir(parents=True)
    (places["postgresql"] / "global").mkdir()
    (places["postgresql"] / "PG_VERSION").write_text("16\n")
    (places["postgresql"] / "global/pg_control").write_bytes((7123456).to_bytes(8, "little"))
    (places["mariadb"] / "grastate.dat").write_text("# GALERA\nuuid:    6ba7b810-9dad\nseqno: -1\n")
    (places["minio"] / ".minio.sys").mkdir()
    (places["minio"] / ".minio.sys/format.json").write_text(json.dumps({"id": "deploy-1"}))
    (places["rabbitmq"] / "rabbit@queue-01").mkdir()
    (places["redis"] / "dump.rdb").write_bytes(b"REDIS0012\xfa")
    (places["sentinel"] / "my-sentinel.conf").write_text(
        "port 26379\nsentinel monitor mymaster 10.0.0.123 6379 2\n"
    )
    _old_cluster(places["k3s"])
    (places["proxysql"] / "proxysql.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    (places["haproxy"] / "old.cfg").write_text(
        "frontend pg\n  bind 10.0.0.11:5432\nlisten x :6379\nserver a 10.0.0.1:9999 check\n"
    )
    (places["pgbouncer"] / "pgbouncer.ini").write_text("[pgbouncer]\nlisten_port = 6432\n")
    return places


def _old_cluster(place: Path) -> None:
    """Lay down what a server of K3s has, and next to it a node of another, and etcd without a Kubernetes."""
    for folder in ("server/db/etcd/member", "server/tls", "agent", "etcd/member/snap", "kine"):
        (place / folder).mkdir(parents=True)
    (place / "server/token").write_text("K10secret::server:secret")
    (place / "server/node-token").symlink_to(place / "server/token")
    (place / "server/tls/server-ca.crt").write_text("authority")
    (place / "agent/client-kubelet.crt").write_text("certificate")
    (place / "kine/state.db").write_bytes(b"SQLite format 3\0" + bytes(84))


class Docker:
    """An engine with one container of another name, stopped if not told otherwise, and a volume of none."""

    def __init__(
        self, source: str, volume: str, *, state: str = "exited", policy: str = "no"
    ) -> None:
        self.source, self.volume = source, volume
        self.state, self.policy = state, policy

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        answers: dict[str, Any] = {
            "/containers/json": [
                {
                    "Names": ["/keybuzz-old"],
                    "State": self.state,
                    "Mounts": [{"Source": self.source}],
                },
                {"Names": ["/watcher"], "State": "running", "Mounts": [{"Source": "/"}]},
            ],
            "/containers/keybuzz-old/json": {
                "State": {"Status": self.state, "Running": self.state == "running"},
                "HostConfig": {"RestartPolicy": {"Name": self.policy}},
            },
            "/volumes": {"Volumes": [{"Name": "f00d" * 16, "Mountpoint": self.volume}]},
        }
        found = answers.get(request.path.partition("?")[0])
        return respond(404, {"message": "no"}) if found is None else respond(200, found)


def found_on(three: Fleet, host: str, ground: Ground) -> Any:
    look = Description((), (DataSweep(READING, ground),))
    seen = observe(three.nornir, {host: HostDescription({"demo": look}, ())})
    answer = seen.observations[host].answers[READING]
    assert answer.known, answer.problem
    return answer.value


def test_each_service_is_known_by_its_files_and_their_identity(three: Fleet) -> None:
    root = three.hosts[FIRST].files
    places = old_data(root)
    said = found_on(three, FIRST, Ground(KINDS, (), (), (str(root),)))
    assert {(kind, path, identity) for kind, path, identity, _ in said["found"]} == {
        ("postgresql", str(places["postgresql"]), "PostgreSQL 16, system identifier 7123456"),
        ("mariadb", str(places["mariadb"]), "cluster 6ba7b810-9dad"),
        ("minio", str(places["minio"]), "deployment deploy-1"),
        ("rabbitmq", str(places["rabbitmq"]), "rabbit@queue-01"),
        ("redis", str(places["redis"]), "RDB 12"),
        ("sentinel", str(places["sentinel"]), "monitors mymaster at 10.0.0.123"),
        ("k3s", f"{places['k3s']}/server", f"a server, its datastore etcd, authority {AUTHORITY}"),
        ("k3s", f"{places['k3s']}/agent", "a node's certificates"),
        ("k3s", f"{places['k3s']}/etcd", "a member of etcd"),
        ("k3s", f"{places['k3s']}/kine", "a datastore in SQLite"),
        ("proxysql", str(places["proxysql"]), "its database"),
    }
    assert "K10secret" not in json.dumps(said)
    assert said["problems"] == []


def test_containers_that_do_not_run_and_volumes_of_none_are_looked_into(three: Fleet) -> None:
    host = three.hosts[FIRST]
    places = old_data(host.files)
    engine = Docker(str(places["redis"]), str(places["postgresql"].parent))
    with serving(host.socket, engine):
        said = found_on(three, FIRST, Ground(KINDS, (), ()))
    assert [(kind, holder) for kind, _, _, holder in said["found"]] == [
        ("postgresql", "volume f00df00df00d"),
        ("redis", "container keybuzz-old"),
    ]


def test_a_proxy_is_known_by_the_ports_of_its_containers_configuration(three: Fleet) -> None:
    """Also when it has nothing but a single file."""
    host = three.hosts[FIRST]
    places = old_data(host.files)
    file = places["haproxy"] / "old.cfg"
    with serving(host.socket, Docker(str(file), str(places["pgbouncer"]), state="running")):
        said = found_on(three, FIRST, Ground(("haproxy", "pgbouncer"), (), (6379,)))
        other = found_on(three, FIRST, Ground(("haproxy", "pgbouncer"), (), (6432, 9999)))
    assert said["found"] == [
        ("haproxy", str(file.parent), "listens on 5432, 6379", "container keybuzz-old")
    ]
    assert other["found"] == [], "a backend's port is none of its own, and a volume is no container"


@pytest.mark.parametrize(
    ("state", "policy", "counts"),
    [
        ("running", "no", True),
        ("exited", "always", True),
        ("exited", "unless-stopped", True),
        ("created", "on-failure", True),
        ("exited", "no", False),
        ("exited", "", False),
    ],
)
def test_a_proxy_that_was_stopped_for_good_has_no_ports(
    three: Fleet, state: str, policy: str, counts: bool
) -> None:
    """The old entry, stopped and kept for a while, refused every change of the one that serves."""
    host = three.hosts[FIRST]
    places = old_data(host.files)
    engine = Docker(str(places["haproxy"]), str(places["minio"]), state=state, policy=policy)
    with serving(host.socket, engine):
        said = found_on(three, FIRST, Ground(("haproxy",), (), (5432,)))
    assert [item[3] for item in said["found"]] == ["container keybuzz-old"] * counts
    assert said["problems"] == []


def test_a_configuration_hides_no_data_below_it(three: Fleet) -> None:
    place = three.hosts[FIRST].files / "opt"
    (place / "data").mkdir(parents=True)
    (place / "old.cfg").write_text("listen x\n  bind :6379\n")
    (place / "data/dump.rdb").write_bytes(b"REDIS0011")
    said = found_on(three, FIRST, Ground(KINDS, (), (), (str(place),)))
    assert [(kind, path) for kind, path, _, _ in said["found"]] == [("redis", f"{place}/data")]


def test_nothing_is_installed_beside_the_data_of_a_stopped_cluster(three: Fleet) -> None:
    """It was taken for virgin ground, and an empty cluster was installed next to its data."""
    host = three.hosts[SECOND]
    places = old_data(host.files)
    before = {path: path.stat().st_mtime_ns for path in host.files.rglob("*")}
    ground = Ground(("redis", "sentinel"), (str(host.root / "described"),), ())
    module = replace(Demo(three.hosts).module(), ground=ground)
    with serving(host.socket, Docker(str(places["redis"]), str(places["minio"]))):
        report = three.run(module)
    assert report.exit_code == ExitCode.REFUSED
    assert f"redis in {places['redis']} (RDB 12, container keybuzz-old)" in report.error
    assert SECOND in report.error
    assert [three.text(name) for name in HOSTS] == [None] * 3
    assert {path: path.stat().st_mtime_ns for path in host.files.rglob("*")} == before


def test_bare_hosts_are_installed(three: Fleet) -> None:
    ground = Ground(KINDS, ("/opt/none",), (), ("/var/lib/none",))
    report = three.run(replace(Demo(three.hosts).module(), ground=ground))
    assert report.exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3

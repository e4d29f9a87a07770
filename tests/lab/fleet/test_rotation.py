"""New passwords for a cluster that is in use: nobody is locked out, wherever the rotation is killed."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import psycopg2
import pytest

from keybuzz.agent.wire import http
from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import DB, Kbz, until
from tests.lab.support.watching import kill_at_something_new, watching

pytestmark = pytest.mark.lab

ADDRESSES = ("10.0.0.120", "10.0.0.121", "10.0.0.122")
ROTATIONS = {
    "postgres-app": ("POSTGRES_APP_USER", "POSTGRES_APP_PASS"),
    "postgres-replication": ("POSTGRES_REPL_USER", "POSTGRES_REPL_PASS"),
    "postgres-rewind": ("POSTGRES_REWIND_USER", "POSTGRES_REWIND_PASS"),
    "postgres-superuser": ("POSTGRES_SUPERUSER", "POSTGRES_SUPERPASS"),
}


REPLICAS = "application_name like 'db-%'"
"""Of what streams from the leader, the members: Barman on backup-01 does so too."""


@pytest.fixture(scope="module")
def cluster(postgres_lab: Kbz) -> Kbz:
    """A Patroni cluster and the backups of it, whatever ran before."""
    postgres_lab.good("run", "patroni", "--limit", "db")
    postgres_lab.good("run", "postgres-proxy", "--limit", "haproxy")
    postgres_lab.good("run", "backup")
    return postgres_lab


def store(kbz: Kbz) -> Path:
    return kbz.root / "credentials"


def login(
    kbz: Kbz, user: Secret, password: Secret, address: str, *, replication: bool = False
) -> str:
    """Log in as libpq does it; return PostgreSQL's refusal, or nothing."""
    options = {"replication": "true"} if replication else {}
    try:
        with visiting(NAMESPACES / kbz.root.name):
            psycopg2.connect(
                host=address,
                user=user.reveal(),
                password=password.reveal(),
                dbname="postgres",
                connect_timeout=5,
                **options,
            ).close()
    except psycopg2.OperationalError as error:
        return str(error)
    return ""


def whole(kbz: Kbz) -> bool:
    return kbz("health", "patroni", "--limit", "db").code == 0


def leader(kbz: Kbz) -> str:
    document = kbz("health", "patroni", "--limit", "db", "--format", "json").json()
    [name] = [
        m["host"] for t in document["topologies"] for m in t["members"] if m["role"] == "leader"
    ]
    return str(name)


def psql(kbz: Kbz, host: str, statement: str) -> str:
    command = "docker exec patroni psql -qAth /var/run/postgresql -U kb_admin postgres"
    return kbz.on(host, f'{command} -c "{statement}"').strip()


def streams(kbz: Kbz, host: str) -> int:
    return int(
        psql(
            kbz,
            host,
            f"select count(*) from pg_stat_replication where state = 'streaming' and {REPLICAS}",
        )
    )


def assert_nothing_to_do(kbz: Kbz) -> None:
    document = kbz.good("run", "patroni", "--limit", "db", "--format", "json").json()
    assert document["plan"]["size"] == 0
    assert not (store(kbz) / "postgres.env.next").exists()


def assert_barman_has_it(kbz: Kbz) -> None:
    """The file on backup-01 holds what the store does; test_backup takes a base backup with it."""
    password = load_credentials(store(kbz))["POSTGRES_REPL_PASS"].reveal()
    line = kbz.on("backup-01", "cat /opt/keybuzz/backup/conf/pgpass").strip()
    assert line == f"10.0.0.10:5432:*:kb_repl:{password}"


def assert_taken(kbz: Kbz, service: str, before: Mapping[str, Secret]) -> None:
    """The new password is the one everywhere, and the old one is none any more."""
    user, password = ROTATIONS[service]
    now = load_credentials(store(kbz))
    changed = {name for name in now if now[name] != before[name]}
    assert changed == {password}
    for address in ADDRESSES:
        for replication in {False, service == "postgres-replication"}:
            if service == "postgres-replication" and not replication:
                continue
            new = login(kbz, now[user], now[password], address, replication=replication)
            old = login(kbz, now[user], before[password], address, replication=replication)
            assert new == ""
            assert "password authentication failed" in old


@pytest.mark.parametrize("service", ROTATIONS)
def test_a_rotation_is_taken_by_all_members_and_leaves_nothing_to_do(
    cluster: Kbz, service: str
) -> None:
    before = load_credentials(store(cluster))
    with watching() as processes:
        done = cluster.good("secrets", "rotate", service)
    assert_taken(cluster, service, before)
    assert_nothing_to_do(cluster)
    assert_barman_has_it(cluster)
    now = load_credentials(store(cluster))[ROTATIONS[service][1]].reveal()
    old = before[ROTATIONS[service][1]].reveal()
    journal = (cluster.root / "state" / "journal.sqlite").read_bytes()
    for value in (now, old):
        assert value not in done.stdout + done.stderr
        assert value.encode() not in journal
        assert not any(value.encode() in text for text in processes)
    assert any(b"psql" in text for text in processes)
    logs = "docker logs patroni 2>&1; journalctl --no-pager 2>/dev/null"
    for host in DB:
        assert now not in cluster.on(host, logs)


def test_replicas_stream_again_with_the_new_password(cluster: Kbz) -> None:
    cluster.good("secrets", "rotate", "postgres-replication")
    host = leader(cluster)
    assert (
        psql(
            cluster,
            host,
            f"select count(pg_terminate_backend(pid)) from pg_stat_replication where {REPLICAS}",
        )
        == "2"
    )
    until(lambda: streams(cluster, host) == 2, 60, "both replicas to reconnect")
    until(lambda: whole(cluster), 60, "the cluster to be whole")


@pytest.mark.parametrize(
    "service",
    ["postgres-app", pytest.param("postgres-replication", marks=pytest.mark.long)],
)
def test_killed_at_every_moment_the_same_command_goes_on(cluster: Kbz, service: str) -> None:
    """After each kill somebody can log in, kbz can still come in, and one more command ends it."""
    seen: set[str] = set()
    before = load_credentials(store(cluster))
    begun: set[str] = set()
    for _ in range(40):
        ended = kill_at_something_new(cluster, service, seen)
        begun |= _begun(cluster)
        _assert_nobody_is_locked_out(cluster, service, before)
        if ended:
            break
    else:
        pytest.fail(f"the rotation did not end; killed at {sorted(seen)}")
    assert any(word.startswith("held a real login") for word in seen)
    assert any(word.startswith("done postgres-role:") for word in seen)
    assert_taken(cluster, service, before)
    assert_nothing_to_do(cluster)
    until(lambda: whole(cluster), 60, "the cluster to be whole")


def _begun(kbz: Kbz) -> set[str]:
    path = store(kbz) / "postgres.env.next"
    return set(re.findall(r"__NEXT=(.*)", path.read_text())) if path.exists() else set()


def _assert_nobody_is_locked_out(kbz: Kbz, service: str, before: Mapping[str, Secret]) -> None:
    """One of the two values that the controller keeps is the one that the cluster takes."""
    user, password = ROTATIONS[service]
    now = load_credentials(store(kbz))
    known = {before[password].reveal(), now[password].reveal(), *_begun(kbz)}
    refusals = [
        login(kbz, now[user], Secret(password, value), ADDRESSES[0], replication="repl" in service)
        for value in known
    ]
    assert "" in refusals


def test_a_cluster_that_is_not_as_described_is_refused_before_anything_changes(
    cluster: Kbz,
) -> None:
    before = load_credentials(store(cluster))
    cluster.on("db-slave-01", "echo '# by hand' >> /opt/keybuzz/patroni/config/patroni.yml")
    done = cluster("secrets", "rotate", "postgres-app")
    cluster.good("run", "patroni", "--limit", "db")
    assert done.code == 3
    assert "1 resource differs from the description" in done.stderr
    assert not (store(cluster) / "postgres.env.next").exists()
    assert load_credentials(store(cluster)) == before


def cut_off_patroni(kbz: Kbz, host: str) -> None:
    """End every connection of the superuser on a member, as PostgreSQL's own restart does."""
    psql(
        kbz,
        host,
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where usename = 'kb_admin' and pid <> pg_backend_pid()",
    )


def test_nobody_is_shut_out_whose_connections_are_cut_between_the_role_and_the_files(
    cluster: Kbz,
) -> None:
    """It was so: Patroni asks PostgreSQL before it reads a new password, and nobody could let it in again."""
    before, host = load_credentials(store(cluster)), leader(cluster)
    seen: set[str] = set()
    role = ("done postgres-role:kb_admin",)
    assert not kill_at_something_new(cluster, "postgres-superuser", seen, moments=role)
    for member in DB:
        cut_off_patroni(cluster, member)
    rounds = turns(cluster, host)
    until(lambda: turns(cluster, host) > rounds + 2, 60, "Patroni goes on to lead")
    assert leader(cluster) == host
    cluster.good("secrets", "rotate", "postgres-superuser")
    assert_taken(cluster, "postgres-superuser", before)
    assert_nothing_to_do(cluster)
    assert leader(cluster) == host
    until(lambda: whole(cluster), 60, "the cluster to be whole")


def turns(kbz: Kbz, host: str) -> int:
    """Count how often Patroni has said that it leads."""
    return kbz.on(host, "docker logs patroni 2>&1").count("the leader with the lock")


def test_what_kbz_can_not_do_safely_it_says(cluster: Kbz) -> None:
    done = cluster("secrets", "rotate", "mariadb-root", "--lift-freeze", "galera")
    assert done.code == 3
    assert "is not rotated by kbz" in done.stderr
    assert not (store(cluster) / "mariadb.env.next").exists()


def api_status(kbz: Kbz, address: str, password: Secret) -> int:
    """Return what Patroni says to a change of nothing: 401 when it refuses the password."""
    token = base64.b64encode(f"patroni:{password.reveal()}".encode()).decode()
    with visiting(NAMESPACES / kbz.root.name):
        return http.request_url(
            "PATCH",
            f"http://{address}:8008/config",
            10,
            {"Authorization": f"Basic {token}"},
            b"{}",
        ).status


def test_the_password_of_patronis_interface_is_taken_and_nothing_else_changes(
    cluster: Kbz,
) -> None:
    before, host = load_credentials(store(cluster)), leader(cluster)
    settings = "curl -s http://10.0.0.120:8008/config"
    had = cluster.on(host, settings)
    with watching() as processes:
        cluster.good("secrets", "rotate", "patroni-api")
    now = load_credentials(store(cluster))
    assert {name for name in now if now[name] != before[name]} == {"PATRONI_API_PASSWORD"}
    for address in ADDRESSES:
        assert api_status(cluster, address, before["PATRONI_API_PASSWORD"]) == 401
        assert api_status(cluster, address, now["PATRONI_API_PASSWORD"]) == 400
    for value in (before["PATRONI_API_PASSWORD"], now["PATRONI_API_PASSWORD"]):
        assert not any(value.reveal().encode() in text for text in processes)
    assert had
    assert cluster.on(host, settings) == had
    assert leader(cluster) == host
    assert_nothing_to_do(cluster)


def test_stray_copies_are_found_and_what_the_cluster_needs_is_none(cluster: Kbz) -> None:
    assert cluster.good("secrets", "stray", "--limit", "db").code == 0
    value = load_credentials(store(cluster))["REDIS_PASSWORD"].reveal()
    folder = "/opt/keybuzz-installer/credentials"
    cluster.on(
        "db-slave-01",
        f"umask 077; mkdir -p {folder}; echo REDIS_PASSWORD={value} >{folder}/redis.env",
    )
    cluster.on(
        "db-slave-02", f"echo 'export PW={value}' > /tmp/notes.env; chmod 644 /tmp/notes.env"
    )
    done = cluster("secrets", "stray", "--limit", "db", "--format", "json")
    assert done.code == 2
    assert value not in done.stdout + done.stderr
    found = {finding["host"]: finding["message"] for finding in done.json()["findings"]}
    assert set(found) == {"db-slave-01", "db-slave-02"}
    assert f"{folder}/redis.env (owner 0:0, mode 600)" in found["db-slave-01"]
    assert "/tmp/notes.env (owner 0:0, mode 644)" in found["db-slave-02"]
    assert all("in use now: REDIS_PASSWORD" in message for message in found.values())
    cluster.on("db-slave-01", f"rm -r {folder}")
    cluster.on("db-slave-02", "rm /tmp/notes.env")
    cluster.good("secrets", "stray", "--limit", "db")

"""PostgreSQL under Patroni and its entry as older scripts left them, brought under kbz while an application writes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import DB, Kbz, until
from tests.lab.legacy.daemons import Counters
from tests.lab.legacy.old_fleet import OldFleet, assert_once
from tests.lab.legacy.refusals import Ground, Refused, RefusedStopped, planted
from tests.lab.legacy.story import Converge, Look, Story
from tests.lab.support.endpoints import CLIENT_ERRORS, ENDPOINTS

pytestmark = pytest.mark.lab

ADDRESSES = dict(zip(DB, ("10.0.0.120", "10.0.0.121", "10.0.0.122"), strict=True))
ENTRIES = ("haproxy-01", "haproxy-02")
HOSTS = (*DB, *ENTRIES)
DATA = "/opt/keybuzz/postgres/data"
CONTROL = f"{DATA}/global/pg_control"
RAFT = "/opt/keybuzz/postgres/raft"
OUTSIDE = "198.51.100.7"
"""An address of documentation (RFC 5737)."""


@pytest.fixture(scope="module", params=["raft", pytest.param("fixed", marks=pytest.mark.long)])
def old(request: pytest.FixtureRequest, postgres_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old PostgreSQL servers and two old entries, with data."""
    made = OldFleet(postgres_lab, HOSTS, "db,haproxy")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "patroni", "--variant", request.param, timeout=1800)
    made.kbz.good("lab", "legacy", "postgres-proxy")
    return made


@contextmanager
def connected_from_outside(old: OldFleet, host: str, port: int) -> Iterator[None]:
    """A client of no private network is connected meanwhile."""
    lab = old.kbz.root.name
    subprocess.run(
        ["ip", "-n", lab, "address", "replace", f"{OUTSIDE}/32", "dev", "lab0"], check=True
    )
    old.kbz.on(host, f"ip route replace {OUTSIDE}/32 dev eth0")
    try:
        with visiting(NAMESPACES / lab):
            client = socket.create_connection((ADDRESSES[host], port), 10, (OUTSIDE, 0))
        with client:
            yield
    finally:
        old.kbz.on(host, f"ip route del {OUTSIDE}/32 dev eth0")
        subprocess.run(
            ["ip", "-n", lab, "address", "del", f"{OUTSIDE}/32", "dev", "lab0"], check=True
        )


def asked(old: OldFleet, host: str, statement: str) -> tuple[object, ...]:
    """Return the first row that one member answers, as the application of the old fleet."""
    secret = old.secrets()["POSTGRES_APP_PASS"]
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(
            psycopg2.connect(
                host=ADDRESSES[host],
                user="kb_app",
                password=secret,
                dbname="keybuzz",
                connect_timeout=5,
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        row: tuple[object, ...] = cursor.fetchone()
        return row


def content(old: OldFleet, host: str) -> tuple[int, str]:
    """Return the number of the old rows on one member, and a checksum of them."""
    rows = "select count(*), md5(string_agg(n || text, ',' order by n)) from orders"
    count, digest = asked(old, host, rows)
    return int(str(count)), str(digest)


def written(old: OldFleet) -> Counters:
    """Return how many rows each member counts as ever written to tables, its roles and databases.

    Not to catalogues: autovacuum writes statistics there by itself.
    """
    counters = (
        "select (select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables),"
        " (select string_agg(rolname, ' ' order by rolname) from pg_roles),"
        " (select string_agg(datname, ' ' order by datname) from pg_database)"
    )
    return {host: asked(old, host, counters) for host in DB}


def serves(old: OldFleet, host: str, rows: tuple[int, str]) -> bool:
    """Return whether a member answers with these rows."""
    try:
        return content(old, host) == rows
    except CLIENT_ERRORS:
        return False


STORY = Story(
    ("postgres-proxy", "patroni"),
    {
        "patroni": tuple(
            f"{name} into postgres.env: a login on every member proved it"
            for name in ("POSTGRES_SUPERPASS", "POSTGRES_REPL_PASS", "POSTGRES_APP_PASS")
        )
    },
    "drift/db-*/container:patroni",
    DB,
    20000,
    content,
    written,
    ENDPOINTS[:2],
    left="/cron:",
)
GROUND = Ground(
    "postgresql",
    ("patroni",),
    DATA,
    "mkdir $1/global; printf 16 > $1/PG_VERSION; head -c 8 /dev/zero > $1/global/pg_control",
    f"db-slave-01: {RAFT} holds the RAFT log of an earlier life",
)


class TestLook(Look):
    story = STORY
    taking = 2  # no host holds a password for pg_rewind: the old ones have none

    @pytest.mark.long
    def test_ports_that_the_firewall_will_close_are_a_decision_with_their_clients(
        self, old: OldFleet
    ) -> None:
        """On bare servers: where kbz has had its rules, it was decided before."""
        with connected_from_outside(old, "db-master-01", 5432):
            found = old.foretold("patroni")["base"]["differences"]
        [firewall] = (
            d for d in found if (d["host"], d["resource"]) == ("db-master-01", "firewall:ufw")
        )
        closed, connected, _ = firewall["effects"]
        assert firewall["way"] == "decision"
        assert "5432/tcp (postgres)" in closed
        assert "8008/tcp" in closed
        assert connected == f"connected from outside now: 5432/tcp from {OUTSIDE}"


@pytest.mark.long
class TestRefused(Refused):
    story, ground = STORY, GROUND

    @contextmanager
    def foreign(self, old: OldFleet) -> Iterator[str]:
        """A stopped replica whose data begins with the number of another cluster."""
        rows = content(old, DB[0])
        made = (
            f"docker stop -t 60 patroni; cp -p {CONTROL} /root/pg_control;"
            f" printf 12345678 | dd of={CONTROL} conv=notrunc status=none"
        )
        back = f"cp -p /root/pg_control {CONTROL}; rm /root/pg_control; docker start patroni"
        strange = int.from_bytes(b"12345678", "little")
        try:
            with planted(old, DB[2], made, back):
                yield f"{DB[2]}: its data is of another cluster: system identifier {strange}, the leader has "
        finally:
            until(lambda: serves(old, DB[2], rows), 120, f"{DB[2]} serves again")

    @contextmanager
    def newer(self, old: OldFleet) -> Iterator[str]:
        path = f"{DATA}/PG_VERSION"
        with planted(old, DB[1], f"echo 17 > {path}", f"echo 16 > {path}"):
            yield (
                f"{DB[1]}: the live cluster is not the described one:"
                " postgres_major is 17, described as 16"
            )


@pytest.mark.long
class TestRefusedStopped(RefusedStopped):
    story, ground = STORY, GROUND


@pytest.mark.long
class TestConverge(Converge):
    story = STORY

    def ran(self, old: OldFleet, module: str, told: str) -> None:
        assert_once(DB if module == STORY.data else ENTRIES, told)

    def test_no_unit_is_left_that_starts_a_container(self, old: OldFleet) -> None:
        for host in HOSTS:
            units = old.kbz.on(host, "ls /etc/systemd/system").split()
            assert [name for name in units if name.endswith("-docker.service")] == []

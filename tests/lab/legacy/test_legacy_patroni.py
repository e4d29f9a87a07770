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
from tests.lab.conftest import DB, Kbz
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    assert_once,
    foretold_restarts,
    interrupted,
    running,
)
from tests.lab.support.endpoints import ENDPOINTS, Applications
from tests.lab.support.writing import writing

pytestmark = [pytest.mark.lab, pytest.mark.long]

HOSTS = (*DB, "haproxy-01", "haproxy-02")
ADDRESSES = ("10.0.0.120", "10.0.0.121", "10.0.0.122")
MODULES = ("postgres-proxy", "patroni")
ENTRY, POOL = ENDPOINTS[:2]
OUTSIDE = "198.51.100.7"
"""An address of documentation (RFC 5737)."""


@pytest.fixture(scope="module", params=["raft", "fixed"])
def old(request: pytest.FixtureRequest, postgres_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old PostgreSQL servers and two old entries, with data."""
    made = OldFleet(postgres_lab, HOSTS, "db,haproxy")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "patroni", "--variant", request.param, timeout=1800)
    made.kbz.good("lab", "legacy", "postgres-proxy")
    return made


@contextmanager
def connected_from_outside(old: OldFleet, host: str, address: str, port: int) -> Iterator[None]:
    """A client of no private network is connected meanwhile."""
    lab = old.kbz.root.name
    subprocess.run(
        ["ip", "-n", lab, "address", "replace", f"{OUTSIDE}/32", "dev", "lab0"], check=True
    )
    old.kbz.on(host, f"ip route replace {OUTSIDE}/32 dev eth0")
    try:
        with visiting(NAMESPACES / lab):
            client = socket.create_connection((address, port), 10, (OUTSIDE, 0))
        with client:
            yield
    finally:
        old.kbz.on(host, f"ip route del {OUTSIDE}/32 dev eth0")
        subprocess.run(
            ["ip", "-n", lab, "address", "del", f"{OUTSIDE}/32", "dev", "lab0"], check=True
        )


def asked(old: OldFleet, address: str, statement: str) -> tuple[object, ...]:
    """Return the first row that one member answers, as the application of the old fleet."""
    secret = old.secrets()["POSTGRES_APP_PASS"]
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(
            psycopg2.connect(
                host=address, user="kb_app", password=secret, dbname="keybuzz", connect_timeout=5
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        row: tuple[object, ...] = cursor.fetchone()
        return row


def content(old: OldFleet, address: str) -> tuple[object, ...]:
    """Return the number of the old rows on one member, and a checksum of them."""
    return asked(
        old, address, "select count(*), md5(string_agg(n || text, ',' order by n)) from orders"
    )


def written(old: OldFleet) -> dict[str, tuple[object, ...]]:
    """Return how many rows each member counts as ever written to tables, its roles and databases.

    Not to catalogues: autovacuum writes statistics there by itself.
    """
    counters = (
        "select (select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables),"
        " (select string_agg(rolname, ' ' order by rolname) from pg_roles),"
        " (select string_agg(datname, ' ' order by datname) from pg_database)"
    )
    return {address: asked(old, address, counters) for address in ADDRESSES}


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        before = written(old)
        found = old.foretold("patroni", "postgres-proxy")
        [refusal, *_] = found["patroni"]["refusals"]
        assert "another credential than the store's" in refusal["what"]
        assert "kbz adopt patroni --take-credentials" in refusal["hint"]
        old.looked("plan", "patroni", "postgres-proxy", "--limit", old.limit)
        old.looked("drift", "patroni", "postgres-proxy", "--limit", old.limit)
        assert written(old) == before

    def test_ports_that_the_firewall_will_close_are_a_decision_with_their_clients(
        self, old: OldFleet
    ) -> None:
        """On bare servers: where kbz has had its rules, it was decided before."""
        with connected_from_outside(old, "db-master-01", ADDRESSES[0], 5432):
            found = old.foretold("patroni")["base"]["differences"]
        [firewall] = (
            d for d in found if (d["host"], d["resource"]) == ("db-master-01", "firewall:ufw")
        )
        closed, connected, _ = firewall["effects"]
        assert firewall["way"] == "decision"
        assert "5432/tcp (postgres)" in closed
        assert "8008/tcp" in closed
        assert connected == f"connected from outside now: 5432/tcp from {OUTSIDE}"

    def test_a_run_refuses_another_credential_and_writes_nothing(self, old: OldFleet) -> None:
        refused = old.looked(*old.lifted("patroni"), codes=(3,))
        assert "another credential than the store's" in refused.stdout + refused.stderr

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        words = ("adopt", "patroni", "--take-credentials", "--confirm", "patroni")
        taken = old.looked(*words, codes=(0, 2)).stdout
        print(taken)
        for name in ("POSTGRES_SUPERPASS", "POSTGRES_REPL_PASS", "POSTGRES_APP_PASS"):
            assert f"take {name} into postgres.env: a login on every member proved it" in taken
        assert old.foretold("patroni")["patroni"]["refusals"] == []

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        """By a site of its own, whose policies.yaml may be edited."""
        accepted_once_and_quiet(old, "patroni", "drift/db-*/container:patroni")


class TestConverge:
    def test_member_by_member_behind_the_gates_no_write_is_lost(self, old: OldFleet) -> None:
        before, data = running(old), content(old, ADDRESSES[0])
        assert data[0] == 20000
        foretold = foretold_restarts(old.foretold(*MODULES))
        application = Applications(old.kbz)
        for entry in (ENTRY, POOL):
            application.put(entry, 0)
        with writing(application, ENTRY) as entered:
            for module in MODULES:
                done = old.kbz.good(*old.lifted(module), timeout=1200)
                print(done.stdout, done.stderr)
                old.untold(done.stdout + done.stderr)
                assert_once(old, module, done.stdout + done.stderr)
        with writing(application, POOL) as pooled:
            pass
        assert len(entered) > 50
        assert pooled
        assert interrupted(before, running(old)) == foretold
        assert {content(old, address) for address in ADDRESSES} == {data}

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", *MODULES, "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        left = {item.partition("#")[0] for item in old.strays(*MODULES)}
        assert {item for item in left if "/cron:" not in item} == set()
        for host in HOSTS:
            units = old.kbz.on(host, "ls /etc/systemd/system").split()
            assert [name for name in units if name.endswith("-docker.service")] == []

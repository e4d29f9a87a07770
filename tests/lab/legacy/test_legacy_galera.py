"""MariaDB Galera and its ProxySQL as older scripts left them, brought under kbz while an application writes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from contextlib import closing

import pymysql
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import Kbz
from tests.lab.ledgers.galera_ledger import ADDRESSES
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    foretold_restarts,
    interrupted,
    running,
)
from tests.lab.support.endpoints import MARIADB, Applications
from tests.lab.support.writing import writing

pytestmark = pytest.mark.lab

HOSTS = (*ADDRESSES, "proxysql-01", "proxysql-02")
MODULES = ("proxysql", "galera")
"""In the order in which they are brought over: an entry that knows a node that is gone, before one goes."""


@pytest.fixture(scope="module")
def old(mariadb_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old MariaDB servers with rows, and two old ProxySQL."""
    made = OldFleet(mariadb_lab, HOSTS, "galera,proxysql")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "galera", timeout=1200)
    made.kbz.good("lab", "legacy", "proxysql", "--variant", "hostgroup")
    return made


def content(old: OldFleet, host: str) -> tuple[int, str]:
    """Return the number of the old rows on one node, and a checksum of them."""
    with (
        visiting(NAMESPACES / old.kbz.root.name),
        closing(
            pymysql.connect(
                host=ADDRESSES[host],
                user="erpnext",
                password=old.secrets()["MARIADB_APP_PASSWORD"],
                database="erpnext",
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select count(*), sum(crc32(concat(n, text))) from orders")
        count, digest = cursor.fetchone() or (0, "")
    return int(count), str(digest)


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        found = old.foretold(*MODULES)
        assert found["galera"]["refusals"]
        assert found["proxysql"]["refusals"]
        old.looked("plan", *MODULES, "--limit", old.limit)
        old.looked("drift", *MODULES, "--limit", old.limit)

    def test_a_run_refuses_other_passwords_and_writes_nothing(self, old: OldFleet) -> None:
        for module in MODULES:
            refused = old.looked(*old.lifted(module), codes=(3,))
            assert f"kbz adopt {module} --take-credentials" in refused.stdout + refused.stderr

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        words = ("adopt", "galera", "--take-credentials", "--confirm", "galera")
        taken = old.looked(*words, codes=(0,)).stdout
        for name in ("MARIADB_ROOT_PASSWORD", "MARIADB_APP_PASSWORD"):
            assert f"take {name} into mariadb.env" in taken
        words = ("adopt", "proxysql", "--take-credentials", "--confirm", "proxysql")
        taken = old.looked(*words, codes=(0,)).stdout
        assert "take PROXYSQL_ADMIN_PASSWORD into proxysql.env" in taken
        assert old.refusals(*MODULES) == []

    def test_data_of_a_newer_series_is_refused_and_nothing_is_written(self, old: OldFleet) -> None:
        path = "/opt/keybuzz/mariadb/data/data/mariadb_upgrade_info"
        old.kbz.on("maria-02", f"printf '11.4.2-MariaDB' > {path}; chown 1001:1001 {path}")
        said = " ".join(old.looked(*old.lifted("galera"), codes=(3,)).stdout.split())
        assert (
            "maria-02: the data was written by MariaDB 11.4; the frozen image opens 10.11" in said
        )
        assert "put MariaDB 11.4 or later into versions.yaml" in said
        old.kbz.on("maria-02", f"rm {path}")

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        accepted_once_and_quiet(old, "galera", "drift/maria-*/container:mariadb")


@pytest.mark.long
class TestConverge:
    def test_member_by_member_behind_the_gates_no_row_is_lost(self, old: OldFleet) -> None:
        before, data = running(old), content(old, HOSTS[0])
        assert data[0] == 20000
        foretold = foretold_restarts(old.foretold(*MODULES))
        applications = Applications(old.kbz)
        applications.put(MARIADB, 0)  # makes its table
        with writing(applications, MARIADB) as acknowledged:
            for module in MODULES:
                done = old.kbz.good(*old.lifted(module), timeout=1800)
                old.untold(done.stdout + done.stderr)
        assert len(acknowledged) > 50
        assert interrupted(before, running(old)) == foretold
        assert {content(old, host) for host in ADDRESSES} == {data}

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", *MODULES, "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        assert old.strays(*MODULES) == set()

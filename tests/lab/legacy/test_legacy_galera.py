"""MariaDB Galera and its ProxySQL as older scripts left them, brought under kbz while an application writes.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pymysql
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.galera_ledger import ADDRESSES
from tests.lab.legacy import daemons
from tests.lab.legacy.old_fleet import OldFleet
from tests.lab.legacy.refusals import Ground, Refused, RefusedStopped, planted, refused
from tests.lab.legacy.story import Converge, Look, Story
from tests.lab.support.endpoints import CLIENT_ERRORS, MARIADB

pytestmark = pytest.mark.lab

HOSTS = (*ADDRESSES, *daemons.PROXYSQL)
DATA = "/opt/keybuzz/mariadb/data"
STATE = f"{DATA}/data/grastate.dat"
STRANGE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


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


STORY = Story(
    ("proxysql", "galera"),
    {
        "galera": ("MARIADB_ROOT_PASSWORD", "MARIADB_APP_PASSWORD"),
        "proxysql": ("PROXYSQL_ADMIN_PASSWORD",),
    },
    "drift/maria-*/container:mariadb",
    tuple(ADDRESSES),
    20000,
    content,
    daemons.of_all(daemons.of_galera, daemons.of_proxysql),
    (MARIADB,),
)
GROUND = Ground(
    "mariadb",
    ("mariadb",),
    DATA,
    "printf 'uuid: 1' > $1/grastate.dat",
    "the cluster is stopped, and no node on its own knows how to go on (data on maria-01)",
)


class TestLook(Look):
    story = STORY


class TestRefused(Refused):
    story, ground = STORY, GROUND

    @contextmanager
    def foreign(self, old: OldFleet) -> Iterator[str]:
        """To join, a node with other data than the cluster's would have it replaced."""
        rows = content(old, "maria-01")
        made = (
            f"docker stop -t 60 mariadb; cp -p {STATE} /root/grastate.dat;"
            f" sed -i 's/^uuid:.*/uuid: {STRANGE}/' {STATE}"
        )
        back = f"cp -p /root/grastate.dat {STATE}; rm /root/grastate.dat; docker start mariadb"
        try:
            with planted(old, "maria-03", made, back):
                yield f"maria-03: its data is of another cluster ({STRANGE})"
        finally:
            until(lambda: _has(old, "maria-03", rows), 120, "maria-03 serves again")

    @contextmanager
    def newer(self, old: OldFleet) -> Iterator[str]:
        path = f"{DATA}/data/mariadb_upgrade_info"
        made = f"printf '11.4.2-MariaDB' > {path}; chown 1001:1001 {path}"
        with planted(old, "maria-02", made, f"rm -f {path}"):
            yield "maria-02: the data was written by MariaDB 11.4; the frozen image opens 10.11"


def _has(old: OldFleet, host: str, rows: tuple[int, str]) -> bool:
    try:
        return content(old, host) == rows
    except CLIENT_ERRORS:
        return False


@pytest.mark.long
class TestRefusedStopped(RefusedStopped):
    story, ground = STORY, GROUND


@pytest.mark.long
class TestConverge(Converge):
    story = STORY


@pytest.mark.long
class TestOtherVariants:
    """Another vendor's image, and an administrator whose password everybody knows."""

    def test_another_images_layout_is_refused(self, old: OldFleet) -> None:
        old.make_bare()
        old.kbz.good("lab", "legacy", "galera", "--variant", "panubo", timeout=1200)
        old.kbz.good("lab", "legacy", "proxysql", "--variant", "known-password")
        before = daemons.of_galera(old)
        old.looked("adopt", "galera", "--take-credentials", "--confirm", "galera")
        said = refused(old, "galera", stopped=False)
        assert f"maria-01: {DATA} holds data in the layout of another image's" in said
        assert daemons.of_galera(old) == before

    def test_the_known_password_is_refused_and_taken_over_as_weak(self, old: OldFleet) -> None:
        said = refused(old, "proxysql", stopped=False)
        assert "does not let the administrator of proxysql.env in" in said
        words = ("adopt", "proxysql", "--take-credentials", "--confirm", "proxysql")
        taken = " ".join(old.looked(*words, codes=(0,)).stdout.split())
        assert "weak: short, or commonly known; replace it later" in taken

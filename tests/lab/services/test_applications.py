"""Three applications that are described, on real servers: each works through the environment that kbz writes for it.

One comes to PostgreSQL through 5432, one through the pool on 6432, one has two sites in MariaDB. The tests of this file
build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz, until
from tests.lab.support.describing import Environment, describe, environment, strays_inside

pytestmark = pytest.mark.lab

DESCRIBED = """\
applications:
  shop:
    title: the shop, with prepared statements
    postgres:
      shop: {extensions: [vector]}
  notes:
    title: notes, through the pool
    postgres:
      notes: {pool: yes, connections: 4}
  erp:
    title: ERPNext with two sites
    mariadb:
      erp_acme: {}
      erp_beta: {user: erp_b}
"""
REASON = ("--reason", "the owner wants these applications")
GALERA = ("run", "galera", "--limit", "galera", "--format", "json")
ENTRIES = ("run", "postgres-proxy", "proxysql", "--limit", "haproxy,proxysql", "--format", "json")
LIFT = ("--lift-freeze", "proxysql", *REASON)
PSQL = 'docker exec patroni psql -h /var/run/postgresql -U kb_admin -d postgres -v ON_ERROR_STOP=1 -XqAtc "{}"'
INSTALLED = (
    "patroni",
    "galera",
    "postgres-proxy",
    "proxysql",
    "--limit",
    "db,galera,haproxy,proxysql",
)
LOOK = ("patroni", "galera", "proxysql", "--limit", "db,galera,proxysql")


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz, tmp_path_factory: pytest.TempPathFactory) -> Kbz:
    """Everything runs, whatever ran before, and then the applications are described."""
    file = tmp_path_factory.mktemp("described") / "applications.yaml"
    describe(services_lab, file, "applications: {}\n")
    services_lab.good("run", *INSTALLED, *LIFT, "--lift-freeze", "galera", timeout=900)
    describe(services_lab, file, DESCRIBED)
    return services_lab


@pytest.fixture
def env(kbz: Kbz, tmp_path: Path) -> Callable[[str], Environment]:
    """Return what gives the environment of an application, as `kbz apps env` writes it now."""
    return lambda name: environment(kbz, name, tmp_path)


def postgres(kbz: Kbz, found: Environment, database: str = "") -> Any:
    """Open a session by the application's own URL, or by its account at another database."""
    url = found["DATABASE_URL"]
    with visiting(NAMESPACES / kbz.root.name):
        connection = psycopg2.connect(
            url.rpartition("/")[0] + f"/{database}" if database else url, connect_timeout=5
        )
    connection.autocommit = True
    return connection


def mariadb(kbz: Kbz, found: Environment, site: str = "", database: str = "") -> Any:
    """Open a session of a site; `site` is what its variables begin with."""
    with visiting(NAMESPACES / kbz.root.name):
        return pymysql.connect(
            host=found[f"{site}MARIADB_HOST"],
            port=int(found[f"{site}MARIADB_PORT"]),
            user=found[f"{site}MARIADB_USER"],
            password=found[f"{site}MARIADB_PASSWORD"],
            database=database or found[f"{site}MARIADB_DATABASE"],
            connect_timeout=5,
            read_timeout=30,
            autocommit=True,
        )


def said(connection: Any, *statements: str) -> Any:
    """Run statements; return the first column of the last one's first row."""
    with closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone()[0]


def works(open_session: Callable[[], Any]) -> Callable[[], bool]:
    """Return a question: a new load balancer takes a while to lead to a host that is new."""

    def ask() -> bool:
        try:
            return bool(said(open_session(), "SELECT 1") == 1)
        except (psycopg2.OperationalError, pymysql.err.MySQLError):
            return False

    return ask


def test_an_addition_to_a_frozen_service_needs_the_owners_lift_once(kbz: Kbz) -> None:
    refused = kbz(*GALERA)
    assert refused.code == 3
    error = refused.json()["error"]
    assert "need the owner's lift once" in error
    for thing in ("mysql-database:erp_acme", "mysql-user:erp_b", "for erp"):
        assert thing in error
    kbz.good(*GALERA, "--lift-freeze", "galera", *REASON)
    assert kbz.good(*GALERA).json()["plan"]["size"] == 0


def test_the_others_take_them_as_well(kbz: Kbz) -> None:
    kbz.good("run", "patroni", "--limit", "db")
    kbz.good(*ENTRIES, *LIFT)


def test_one_works_through_5432_with_its_extension(
    kbz: Kbz, env: Callable[[str], Environment]
) -> None:
    found = env("shop")
    assert (found["POSTGRES_HOST"], found["POSTGRES_PORT"]) == ("10.0.0.10", "5432")
    until(works(lambda: postgres(kbz, found)), 120, "the load balancer to lead to PostgreSQL")
    rows = said(
        postgres(kbz, found),
        "CREATE TABLE items (id serial PRIMARY KEY, place vector(2))",
        "PREPARE put AS INSERT INTO items (place) VALUES ($1)",
        "EXECUTE put('[1,2]')",
        "SELECT count(*) FROM items",
    )
    assert rows == 1


def test_one_works_through_the_pool_on_6432(kbz: Kbz, env: Callable[[str], Environment]) -> None:
    found = env("notes")
    assert (found["POSTGRES_HOST"], found["POSTGRES_PORT"]) == ("10.0.0.10", "6432")
    until(works(lambda: postgres(kbz, found)), 120, "the load balancer to lead to the pool")
    rows = said(
        postgres(kbz, found),
        "CREATE TABLE notes (word text)",
        "INSERT INTO notes VALUES ('kept')",
        "SELECT word FROM notes",
    )
    assert rows == "kept"


def test_both_sites_work_through_the_load_balancer(
    kbz: Kbz, env: Callable[[str], Environment]
) -> None:
    found = env("erp")
    assert found["MARIADB_HOST"] == "10.0.0.20"
    until(works(lambda: mariadb(kbz, found)), 120, "the load balancer to lead to MariaDB")
    for site, word in (("", "acme"), ("ERP_BETA_", "beta")):
        rows = said(
            mariadb(kbz, found, site),
            "CREATE TABLE tabDocType (name VARCHAR(140) PRIMARY KEY)",
            f"INSERT INTO tabDocType VALUES ('{word}')",
            "SELECT name FROM tabDocType",
        )
        assert rows == word


def test_no_application_comes_into_what_is_anothers(
    kbz: Kbz, env: Callable[[str], Environment]
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        postgres(kbz, env("shop"), "notes")
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        said(mariadb(kbz, env("erp"), database="erp_beta"), "SELECT name FROM tabDocType")


def test_a_second_run_changes_nothing(kbz: Kbz) -> None:
    for words in (GALERA, ("run", "patroni", "--limit", "db", "--format", "json"), ENTRIES):
        assert kbz.good(*words).json()["plan"]["size"] == 0


@pytest.fixture(scope="module")
def made(kbz: Kbz) -> set[str]:
    """Return what was made by hand, by the ids that drift gives it."""
    leader = next(h for h in ("db-master-01", "db-slave-01", "db-slave-02") if leads(kbz, h))
    kbz.on(leader, PSQL.format("CREATE ROLE bob LOGIN"))
    root = load_credentials(kbz.root / "credentials")["MARIADB_ROOT_PASSWORD"].reveal()
    statement = "CREATE USER erp_old@'%' IDENTIFIED BY 'made-by-hand-1'"
    session(kbz, "maria-01", "10.0.0.170", 3306, "root", root, statement)
    known = load_credentials(kbz.root / "credentials")
    user, password = (known[f"PROXYSQL_ADMIN_{word}"].reveal() for word in ("USER", "PASSWORD"))
    for host in ("proxysql-01", "proxysql-02"):
        session(
            kbz,
            host,
            "127.0.0.1",
            6032,
            user,
            password,
            "INSERT INTO mysql_users (username, password, default_hostgroup) "
            "VALUES ('erp_old', 'made-by-hand-1', 10)",
            "LOAD MYSQL USERS TO RUNTIME",
            "SAVE MYSQL USERS TO DISK",
        )
    return {
        "stray/patroni/role:bob",
        "stray/galera/user:erp_old@%",
        "stray/proxysql-01/user:erp_old",
        "stray/proxysql-02/user:erp_old",
    }


class TestByHand:
    """What was made by hand is reported, and stays whatever runs."""

    def test_drift_reports_each_once_and_nothing_that_is_described(
        self, kbz: Kbz, made: set[str]
    ) -> None:
        assert strays_inside(kbz, *LOOK) == made
        assert kbz("drift", *LOOK).code == 2
        plan = kbz.good("plan", *LOOK, "--format", "json").json()["plan"]
        assert plan["size"] == 0, "none of it is a change that a run would make"

    def test_a_run_that_writes_the_same_table_removes_none(self, kbz: Kbz, made: set[str]) -> None:
        known = load_credentials(kbz.root / "credentials")
        user, password = (known[f"PROXYSQL_ADMIN_{word}"].reveal() for word in ("USER", "PASSWORD"))
        undone = ("UPDATE mysql_users SET max_connections=7 WHERE username='erp_b'",)
        session(kbz, "proxysql-01", "127.0.0.1", 6032, user, password, *undone)
        done = kbz.good(*ENTRIES, *LIFT)
        changes = done.json()["plan"]["changes"]
        assert [c["resource"] for c in changes] == ["proxysql-tables:MYSQL USERS"]
        assert strays_inside(kbz, *LOOK) == made
        assert works(lambda: outsider(kbz))()

    def test_each_is_removed_by_its_typed_name_and_nothing_else_is(
        self, kbz: Kbz, made: set[str]
    ) -> None:
        remove = ("apps", "remove-account")
        described = kbz(*remove, "patroni", "shop", "--confirm", "shop")
        assert (described.code, "only what no file describes" in described.stderr) == (3, True)
        untyped = kbz(*remove, "patroni", "bob")
        assert (untyped.code, "its name was not typed" in untyped.stderr) == (3, True)
        leader = next(h for h in ("db-master-01", "db-slave-01", "db-slave-02") if leads(kbz, h))
        kbz.on(leader, PSQL.format("CREATE TABLE bobs (a int); ALTER TABLE bobs OWNER TO bob"))
        owner = kbz(*remove, "patroni", "bob", "--confirm", "bob")
        assert owner.code == 1
        assert "cannot be dropped because some objects depend on it" in owner.stdout + owner.stderr
        kbz.on(leader, PSQL.format("DROP TABLE bobs"))
        kbz.good(*remove, "patroni", "bob", "--confirm", "bob")
        frozen = (*remove, "galera", "erp_old@%", "--confirm", "erp_old@%")
        assert kbz(*frozen).code == 3
        kbz.good(*frozen, "--lift-freeze", "galera", *REASON)
        kbz.good(*remove, "proxysql", "erp_old", "--confirm", "erp_old", *LIFT)
        assert strays_inside(kbz, *LOOK) == set()
        assert not works(lambda: outsider(kbz))()
        assert kbz.good("plan", *LOOK, "--format", "json").json()["plan"]["size"] == 0


def outsider(kbz: Kbz) -> Any:
    """Open a session as the user who was made by hand."""
    with visiting(NAMESPACES / kbz.root.name):
        return pymysql.connect(
            host="10.0.0.20", user="erp_old", password="made-by-hand-1", connect_timeout=5
        )


def leads(kbz: Kbz, host: str) -> bool:
    return kbz.on(host, PSQL.format("select pg_is_in_recovery()")).strip() == "f"


def session(
    kbz: Kbz, host: str, address: str, port: int, user: str, password: str, *statements: str
) -> None:
    """Run statements on a host as its administrator, past kbz."""
    with visiting(NAMESPACES / f"{kbz.root.name}-{host}"):
        connection = pymysql.connect(
            host=address, port=port, user=user, password=password, autocommit=True
        )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


class TestRotation:
    def test_a_pooled_role_gets_a_new_password_and_its_pool_follows(
        self, kbz: Kbz, env: Callable[[str], Environment]
    ) -> None:
        before = env("notes")
        kbz.good("secrets", "rotate", "postgres-user-notes")
        after = env("notes")
        assert after["POSTGRES_PASSWORD"] != before["POSTGRES_PASSWORD"]
        assert said(postgres(kbz, after), "SELECT word FROM notes") == "kept"
        with pytest.raises(psycopg2.OperationalError):
            postgres(kbz, before)

    def test_one_site_gets_a_new_password_and_the_other_one_keeps_its_own(
        self, kbz: Kbz, env: Callable[[str], Environment]
    ) -> None:
        before = env("erp")
        lift = ("--lift-freeze", "galera", *LIFT)
        kbz.good("secrets", "rotate", "mariadb-user-erp_acme", *lift)
        after = env("erp")
        assert after["MARIADB_PASSWORD"] != before["MARIADB_PASSWORD"]
        assert after["ERP_BETA_MARIADB_PASSWORD"] == before["ERP_BETA_MARIADB_PASSWORD"]
        assert said(mariadb(kbz, after), "SELECT name FROM tabDocType") == "acme"
        assert said(mariadb(kbz, after, "ERP_BETA_"), "SELECT name FROM tabDocType") == "beta"
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            mariadb(kbz, before)

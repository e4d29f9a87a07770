"""The entry to MariaDB on real servers: two ProxySQL (stand-ins) before a real Galera cluster.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network import inside
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.store import load_credentials
from keybuzz.site.load import load_site, read_configuration
from tasks.galera.drill import isolated
from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.galera_ledger import ADDRESSES
from tests.lab.ledgers.mariadb_writers import TABLE, Writers
from tests.lab.support.watching import kill_at_each_stage, watching
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab

BALANCER = "10.0.0.20"
LIMIT = ("--limit", "proxysql", "--format", "json")
PROXIES = ("proxysql-01", "proxysql-02")
RUN = ("run", "proxysql", *LIMIT)
GALERA = ("run", "galera", "--limit", "galera", "--format", "json")
REASON = ("--reason", "the owner said so on the phone")
LIFT = ("--lift-freeze", "galera", "--lift-freeze", "proxysql", *REASON)
LIFTED = (*RUN, "--lift-freeze", "proxysql", *REASON)


@pytest.fixture(scope="module")
def kbz(mariadb_lab: Kbz) -> Kbz:
    """Galera stands, whatever ran before, and two bare hosts are before it."""
    mariadb_lab.good(*GALERA, "--lift-freeze", "galera", *REASON)
    return mariadb_lab


def connect(
    kbz: Kbz, host: str = BALANCER, user: str = "APP", password: Secret | None = None
) -> pymysql.Connection[Any]:
    """Open a session as one of the users, by the store's password or another one."""
    known = load_credentials(kbz.root / "credentials")
    with visiting(NAMESPACES / kbz.root.name):
        return pymysql.connect(
            host=host,
            user=known[f"MARIADB_{user}_USER"].reveal(),
            password=(password or known[f"MARIADB_{user}_PASSWORD"]).reveal(),
            database=known["MARIADB_DB"].reveal() if user == "APP" else None,
            connect_timeout=5,
            read_timeout=30,
            autocommit=True,
        )


def ask(kbz: Kbz, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the application through the load balancer; return the rows of the last one."""
    connection = connect(kbz)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def written_table(kbz: Kbz) -> Iterator[None]:
    """The table of the writers, gone again however the test ends: the next test makes its own."""
    ask(kbz, f"CREATE TABLE {TABLE} (id INT AUTO_INCREMENT PRIMARY KEY, word TEXT)")
    try:
        yield
    finally:
        ask(kbz, f"DROP TABLE {TABLE}")


def by_hand(kbz: Kbz, *statements: str, host: str = "proxysql-01") -> None:
    """Run statements at a host's admin port, from the host itself as it must be."""
    with administering(kbz, host) as cursor:
        for statement in statements:
            cursor.execute(statement)


def says(kbz: Kbz, question: str, host: str = "proxysql-01") -> list[tuple[str, ...]]:
    """Return what ProxySQL itself answers at its admin port."""
    with administering(kbz, host) as cursor:
        cursor.execute(question)
        return list(cursor.fetchall())


@contextmanager
def administering(kbz: Kbz, host: str) -> Iterator[pymysql.cursors.Cursor]:
    """Give a session at the admin port of a host."""
    known = load_credentials(kbz.root / "credentials")
    with visiting(NAMESPACES / f"{kbz.root.name}-{host}"):
        connection = pymysql.connect(
            host="127.0.0.1",
            port=6032,
            user=known["PROXYSQL_ADMIN_USER"].reveal(),
            password=known["PROXYSQL_ADMIN_PASSWORD"].reveal(),
            autocommit=True,
        )
    with connection, connection.cursor() as cursor:
        yield cursor


def answers(kbz: Kbz) -> bool:
    try:
        return len(ask(kbz, "SELECT 1")) == 1
    except pymysql.Error:
        return False


def findings(kbz: Kbz) -> list[dict[str, Any]]:
    document = kbz("health", "proxysql", *LIMIT).json()
    return [f for f in document["findings"] if f["check"].startswith("proxysql.")]


def test_from_bare_hosts_to_a_proven_entry(kbz: Kbz) -> None:
    kbz.good(*RUN)
    # The load balancer counts to three before it leads to a host that is new.
    until(lambda: {f["level"] for f in findings(kbz)} == {"ok"}, 120, "every check to be good")
    assert {f["host"] for f in findings(kbz)} == {"proxysql-01", "proxysql-02", None}


def test_the_load_balancer_leads_to_both(kbz: Kbz) -> None:
    probes = kbz("lb", "check", "--format", "json").json()["probes"]
    ours = [p for p in probes if (p["load_balancer"], p["port"]) == ("lb-proxysql", 3306)]
    assert len(ours) >= 3, "the address itself, and both hosts behind it"
    assert {p["verdict"] for p in ours} == {"good"}, ours


def test_a_second_run_changes_nothing(kbz: Kbz) -> None:
    assert kbz.good(*RUN).json()["plan"]["size"] == 0


def test_an_application_writes_through_the_load_balancer(kbz: Kbz) -> None:
    create = "CREATE TABLE kept (id INT AUTO_INCREMENT PRIMARY KEY, word TEXT)"
    rows = ask(
        kbz, create, "INSERT INTO kept (word) VALUES ('a'), ('b')", "SELECT COUNT(*) FROM kept"
    )
    assert rows == [(2,)]


def test_a_planned_restart_of_all_nodes_moves_the_writer_once_and_back(kbz: Kbz) -> None:
    """P-6: no application loses a statement; one with a session of its own may lose one by each move (facts/08)."""
    [(before,)] = ask(kbz, "SELECT @@hostname")
    with written_table(kbz), Writers(lambda: connect(kbz)) as writers:
        kbz.good("restart", "galera", "--limit", "galera")
    assert before == "maria-03", "the last by its address"
    assert writers.way == ["maria-03", "maria-02", "maria-03"]
    assert writers.errors == []
    assert len(writers.kept_errors) <= 2, writers.kept_errors
    assert kbz("drift", "galera", "proxysql").code == 0
    assert {f["level"] for f in findings(kbz)} == {"ok"}


def test_a_switchover_moves_the_writer_to_the_named_node_and_back(kbz: Kbz) -> None:
    to = kbz.good("switchover", "galera", "--to", "maria-01", "--format", "json").json()["handover"]
    assert (to["before"], to["after"], to["lost"]) == ("maria-03", "maria-01", 0)
    assert ask(kbz, "SELECT @@hostname") == [("maria-01",)]
    raised = {f["level"] for f in findings(kbz) if f["check"] == "proxysql.writer.raised"}
    assert raised == {"warn"}
    back = kbz.good("switchover", "galera", "--to", "maria-03", "--format", "json").json()
    assert back["handover"]["after"] == "maria-03"
    assert {f["level"] for f in findings(kbz)} == {"ok"}


def test_the_write_that_a_drill_tries_on_a_cut_off_node_is_accepted_by_one_that_serves(
    kbz: Kbz,
) -> None:
    """Else its refusal there would prove nothing."""
    site = load_site(read_configuration(kbz.config))
    assert site.settings.lab is not None
    attempt = isolated(site, site.server("maria-01"))
    assert attempt.feed is not None
    ask(kbz, "CREATE TABLE kbz_drill (number BIGINT PRIMARY KEY)")
    said = inside.capture(
        site.settings.lab, "maria-01", attempt.argv, feed=attempt.feed.reveal(), seconds=60
    )
    assert attempt.accepted in said
    assert ask(kbz, "SELECT number FROM kbz_drill") == [(-1,)]
    ask(kbz, "DROP TABLE kbz_drill")


def test_an_edited_file_is_drift_and_changes_nothing_that_runs(kbz: Kbz) -> None:
    kbz.on("proxysql-01", "echo '# by hand' >> /opt/keybuzz/proxysql/conf/proxysql.cnf")
    done = kbz("drift", "proxysql", *LIMIT)
    assert done.code == 2
    changes = done.json()["plan"]["changes"]
    assert [c["resource"] for c in changes] == ["file:/opt/keybuzz/proxysql/conf/proxysql.cnf"]
    assert kbz(*RUN).code == 3
    kbz.good(*LIFTED)


def test_each_layer_edited_by_hand_is_drift_and_repaired_when_the_freeze_is_lifted(
    kbz: Kbz,
) -> None:
    by_hand(
        kbz,
        "UPDATE main.mysql_servers SET max_connections=7",
        "LOAD MYSQL SERVERS TO RUNTIME",
        "UPDATE disk.mysql_users SET max_connections=7",
        "UPDATE main.mysql_query_rules SET destination_hostgroup=30",
        "LOAD MYSQL QUERY RULES TO RUNTIME",
        "UPDATE main.mysql_query_rules SET destination_hostgroup=10",
    )
    done = kbz("drift", "proxysql", *LIMIT)
    assert done.code == 2
    layers = {
        change["resource"]: sorted(item["attribute"] for item in change["differences"])
        for change in done.json()["plan"]["changes"]
    }
    assert layers == {
        "proxysql-tables:MYSQL SERVERS": ["memory", "runtime"],
        "proxysql-tables:MYSQL USERS": ["disk"],
        "proxysql-tables:MYSQL QUERY RULES": ["runtime"],
    }
    refused = kbz(*RUN)
    assert refused.code == 3
    assert kbz("drift", "proxysql", *LIMIT).code == 2, "a frozen group is not touched"
    with written_table(kbz), Writers(lambda: connect(kbz)) as writers:
        kbz.good(*LIFTED)
    assert len(writers.way) == 1, "P-5: the writer's place is kept, and there is no second one"
    assert writers.errors == writers.kept_errors == []
    assert kbz("drift", "proxysql", *LIMIT).code == 0


def test_what_was_done_by_hand_is_told_and_one_run_ends_it(kbz: Kbz) -> None:
    """P-1, P-2, P-4 and P-7, all on one host: the monitor off, another port at the next start, rows, and a pause."""
    by_hand(
        kbz,
        "SET mysql-monitor_enabled='false'",
        "LOAD MYSQL VARIABLES TO RUNTIME",
        "SET mysql-interfaces='0.0.0.0:6033'",
        "SAVE MYSQL VARIABLES TO DISK",
        "UPDATE main.mysql_servers SET status='OFFLINE_SOFT'",
        "INSERT INTO main.proxysql_servers (hostname) VALUES ('10.0.0.9')",
        "PROXYSQL PAUSE",
    )
    assert says(kbz, "SELECT @@mysql-monitor_enabled") == [("false",)]
    assert says(kbz, "SELECT DISTINCT status FROM main.mysql_servers") == [("OFFLINE_SOFT",)]
    told = {f["check"]: f["message"] for f in findings(kbz) if f["level"] == "critical"}
    assert "PROXYSQL PAUSE is on" in told["proxysql.listens"]
    assert "the monitor is switched off" in told["proxysql.monitor"]
    changes = kbz("drift", "proxysql", *LIMIT).json()["plan"]["changes"]
    assert {(change["host"], change["resource"]) for change in changes} == {
        ("proxysql-01", "proxysql-open:sessions"),
        ("proxysql-01", "proxysql-startup:proxysql"),
        ("proxysql-01", "proxysql-variables:MYSQL VARIABLES"),
        ("proxysql-01", "proxysql-tables:MYSQL SERVERS"),
        ("proxysql-01", "proxysql-tables:PROXYSQL SERVERS"),
    }
    kbz.good(*LIFTED)
    assert kbz("drift", "proxysql", *LIMIT).code == 0
    assert {f["level"] for f in findings(kbz)} == {"ok"}


def test_more_clients_than_one_node_takes_wait_and_none_is_refused(kbz: Kbz) -> None:
    """P-8: without the limits MariaDB says 1040, is shunned for it, and then every session gets 9001."""

    def write(number: int) -> str:
        try:
            with connect(kbz) as session, session.cursor() as cursor:
                cursor.execute("INSERT INTO kept (word) VALUES (%s)", (f"client {number}",))
                cursor.execute("DELETE FROM kept WHERE word=%s", (f"client {number}",))
        except pymysql.Error as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(150) as clients:
        assert set(clients.map(write, range(300))) == {""}


def refused(kbz: Kbz, password: Secret, host: str = BALANCER, user: str = "APP") -> str:
    """Return why a new session is refused with this password; empty when it is let in."""
    try:
        with connect(kbz, host, user, password):
            return ""
    except pymysql.err.OperationalError as error:
        return str(error)


def test_a_rotated_password_is_taken_beside_the_old_one_until_it_is_dropped(kbz: Kbz) -> None:
    before = load_credentials(kbz.root / "credentials")
    old = before["MARIADB_APP_PASSWORD"]
    with watching() as processes, connect(kbz) as session, session.cursor() as cursor:
        done = kbz.good("secrets", "rotate", "mariadb-app", "--keep-old", *LIFT)
        now = load_credentials(kbz.root / "credentials")
        new = now["MARIADB_APP_PASSWORD"]
        for address in ADDRESSES.values():
            assert refused(kbz, old, address) == refused(kbz, new, address) == ""
        assert "Access denied" in refused(kbz, old), "ProxySQL knows one password"
        assert ask(kbz, "SELECT 1") == [(1,)]
        # Its first statement: only now ProxySQL comes to MariaDB for it, by the password that it came with.
        cursor.execute("SELECT COUNT(*) FROM kept")
        assert cursor.fetchall(), "who was connected stays"
        by_itself = kbz(*GALERA)
        assert by_itself.code == 3, "a run does not drop what somebody may use"
        assert "kbz secrets rotate ends it" in by_itself.stdout
        end = kbz.good("secrets", "rotate", "mariadb-app", *LIFT)
        cursor.execute("SELECT COUNT(*) FROM kept")
        assert cursor.fetchall(), "and so does who is connected to MariaDB"
    for address in ADDRESSES.values():
        assert "Access denied" in refused(kbz, old, address)
        assert refused(kbz, new, address) == ""
    assert {name for name in now if now[name] != before[name]} == {"MARIADB_APP_PASSWORD"}
    assert kbz("drift", "galera", "proxysql").code == 0
    for value in (old.reveal(), new.reveal()):
        assert value not in done.stdout + done.stderr + end.stdout + end.stderr
        assert not any(value.encode() in text for text in processes)


def test_a_user_that_no_file_describes_is_told_and_left(kbz: Kbz) -> None:
    """S-36: another application's account in both proxies, as each site of ERPNext has one."""
    row = "(username, password, default_hostgroup) VALUES ('other_site', 'a-word-1', 10)"
    to_all = ("LOAD MYSQL USERS TO RUNTIME", "SAVE MYSQL USERS TO DISK")
    by_hand(kbz, f"INSERT INTO mysql_users {row}", *to_all, host=PROXIES[0])
    [known] = says(
        kbz, "SELECT DISTINCT username FROM runtime_mysql_users WHERE username='other_site'"
    )
    assert known == ("other_site",)
    [parity] = [f for f in findings(kbz) if f["check"] == "proxysql.parity"]
    assert (parity["level"], "kbz drift proxysql" in parity["hint"]) == ("critical", True)
    by_hand(kbz, f"INSERT INTO mysql_users {row}", *to_all, host=PROXIES[1])
    document = kbz("drift", "proxysql", *LIMIT).json()
    told = [i["id"] for i in document["drift"]["items"] if "other_site" in i["id"]]
    assert told == [f"stray/{host}/user:other_site" for host in PROXIES]
    seen = Seen("S-36", PROXIES[0], "", tuple(told))
    assert wrong(kbz, [seen], "galera,proxysql") == []
    assert kbz.good(*RUN).json()["plan"]["size"] == 0
    assert {f["level"] for f in findings(kbz)} == {"ok"}
    for host in PROXIES:
        by_hand(kbz, "DELETE FROM mysql_users WHERE username='other_site'", *to_all, host=host)
    assert kbz("drift", "proxysql", *LIMIT).code == 0


@pytest.mark.long  # each node is replaced; the planned restart above shows the same of a restart
def test_a_rotated_monitor_is_judged_by_what_it_saw_since(kbz: Kbz) -> None:
    """P-3: two of three ended red, by a sample of the monitor from before the change."""
    for _ in range(2):
        kbz.good("secrets", "rotate", "mariadb-monitor", *LIFT)
        assert {f["level"] for f in findings(kbz)} == {"ok"}


def test_a_rotation_that_was_killed_goes_on_and_the_admin_port_is_rotated_too(kbz: Kbz) -> None:
    before = load_credentials(kbz.root / "credentials")
    seen = kill_at_each_stage(kbz, "mariadb-app", "galera", "proxysql")
    assert any("the old password no more" in word for word in seen)
    kbz.good("secrets", "rotate", "proxysql-admin", *LIFT[2:])
    by_hand(kbz, "SELECT 1")
    now = load_credentials(kbz.root / "credentials")
    changed = {name for name in now if now[name] != before[name]}
    assert changed == {"MARIADB_APP_PASSWORD", "PROXYSQL_ADMIN_PASSWORD"}
    assert ask(kbz, "SELECT 1") == [(1,)]
    assert kbz("drift", "galera", "proxysql").code == 0


def test_one_proxy_may_stop(kbz: Kbz) -> None:
    kbz.on("proxysql-01", "docker stop proxysql")
    until(lambda: answers(kbz), 120, "the load balancer leads to the other proxy")
    kbz.good(*LIFTED)


def test_the_writer_may_die(kbz: Kbz) -> None:
    [(writer,)] = ask(kbz, "SELECT @@hostname")
    kbz.on(str(writer), "docker kill mariadb")
    until(lambda: answers(kbz), 120, "another node is the writer")
    insert = "INSERT INTO kept (word) VALUES ('c')"
    assert ask(kbz, insert, "SELECT COUNT(*) FROM kept") == [(3,)]
    assert ask(kbz, "SELECT @@hostname") != [(writer,)]

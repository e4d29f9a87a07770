"""What operators do to a ProxySQL by hand (facts/08, second look): seen, and undone without a second writer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest

from keybuzz.model.core.secret import Secret
from tasks.galera.agent import query as mysql_reading
from tasks.galera.service.readings import MysqlQuery
from tasks.galera.service.resources import MysqlAccess
from tasks.proxysql import settled
from tasks.proxysql.agent import proxysql as kind
from tasks.proxysql.agent import switches
from tasks.proxysql.desired import BAD, LOG
from tasks.proxysql.service.resources import (
    ProxysqlOpen,
    ProxysqlStartup,
    ProxysqlTable,
    ProxysqlTables,
    Row,
)
from tests.flow.kinds.test_proxysql_kinds import (
    CONTEXT,
    PLACEMENT,
    change,
    layers,
    table,
    variables,
    write,
)
from tests.flow.servers.mysql_server import FakeMysql, Rows, fake_mysql
from tests.flow.servers.proxysql_server import (
    ADMIN,
    ADMIN_PASSWORD,
    Ports,
    connect,
    stand_in,
    tell,
)

SYNCED = ("4", "0", "0", "0", "NONE", "0", "Primary")
WRITERS = (
    "SELECT hostname, port FROM runtime_mysql_servers WHERE hostgroup_id=10 AND status='ONLINE'"
)


@contextmanager
def galera(count: int = 3) -> Iterator[tuple[FakeMysql, ...]]:
    """Give nodes that say that they are Synced."""

    def answer(statement: str) -> Rows | None:
        if statement.startswith("SET"):
            return None
        return [SYNCED] if "WSREP_LOCAL_STATE" in statement else [("node",)]

    users = {"monitor": "monitor", "erp": "known-1"}
    with ExitStack() as stack:
        yield tuple(stack.enter_context(fake_mysql(answer, users)) for _ in range(count))


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[FakeMysql, ...]]:
    with galera() as found:
        yield found


@pytest.fixture
def ports(tmp_path: Any, nodes: tuple[FakeMysql, ...]) -> Iterator[Ports]:
    """A ProxySQL as described, in front of three nodes that its monitor has placed."""
    with stand_in(tmp_path) as found:
        quick = variables(found, monitor_galera_healthcheck_interval="200", monitor_enabled="true")
        kind.write_proxysql_variables(quick.order(), CONTEXT)
        write(servers(found, nodes))
        until(lambda: len(tell(found, WRITERS)) == 1, "one writer")
        yield found


def until(good: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not good():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def access(ports: Ports) -> MysqlAccess:
    return MysqlAccess("127.0.0.1", ADMIN, Secret("A", ADMIN_PASSWORD), ports.admin)


def servers(ports: Ports, nodes: tuple[FakeMysql, ...], most: str = "40") -> ProxysqlTables:
    rows: list[Row] = [
        (
            ("hostname", node.address),
            ("port", str(node.port)),
            ("weight", "1000"),
            ("max_connections", most),
            *settled.SERVER,
        )
        for node in nodes
    ]
    group: Row = (
        ("writer_hostgroup", "10"),
        ("backup_writer_hostgroup", "20"),
        ("reader_hostgroup", "30"),
        ("offline_hostgroup", "9999"),
        ("writer_is_also_reader", "1"),
    )
    placed = table("mysql_servers", *rows, placed=PLACEMENT)
    whole = without(placed, settled.SERVER_MOVED)
    tables = (whole, table("mysql_galera_hostgroups", group))
    return ProxysqlTables(access(ports), "MYSQL SERVERS", tables)


def without(found: ProxysqlTable, left: tuple[str, ...]) -> ProxysqlTable:
    """Return the table with columns that are not compared at runtime."""
    return replace(found, left=left)


class Watch:
    """Reads who takes writes, as often as it can, while something else goes on."""

    def __init__(self, ports: Ports) -> None:
        self.seen: list[list[tuple[str, ...]]] = []
        self._ports, self._ended = ports, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        until(lambda: bool(self.seen), "the watch looks")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with connect(self._ports.admin, ADMIN, ADMIN_PASSWORD) as admin, admin.cursor() as cursor:
            while not self._ended.is_set():
                cursor.execute(WRITERS)
                self.seen.append(list(cursor.fetchall()))


class TestRepairs:
    """P4, P5."""

    @pytest.mark.parametrize(
        ("statement", "layer"),
        [
            ("UPDATE main.mysql_servers SET status='OFFLINE_SOFT'", "memory"),
            ("UPDATE main.mysql_servers SET use_ssl=1", "memory"),
            ("UPDATE disk.mysql_servers SET comment='by hand'", "disk"),
            ("UPDATE main.mysql_servers SET hostgroup_id=77 WHERE hostgroup_id=10", "memory"),
        ],
    )
    def test_a_column_by_hand_is_seen_and_undone_without_a_load(
        self, ports: Ports, nodes: tuple[FakeMysql, ...], statement: str, layer: str
    ) -> None:
        tell(ports, statement)
        assert layers(servers(ports, nodes)) == [layer]
        loads = "SELECT version FROM runtime_checksums_values WHERE name='mysql_servers_v2'"
        before = tell(ports, loads)
        write(servers(ports, nodes))
        assert layers(servers(ports, nodes)) == []
        assert tell(ports, loads) == before, "what ran was as described: nothing is loaded"

    def test_no_repair_has_a_second_writer_or_another_one(
        self, ports: Ports, nodes: tuple[FakeMysql, ...]
    ) -> None:
        """All rows in the writers' hostgroup made each node a writer until the next look of the monitor."""
        writer = tell(ports, WRITERS)
        with Watch(ports) as watch:
            for most in ("7", "8", "9"):
                tell(
                    ports,
                    f"UPDATE main.mysql_servers SET max_connections={most}, weight=1000",
                    "SAVE MYSQL SERVERS TO DISK",
                )
                write(servers(ports, nodes, most="41" if most == "8" else "42"))
        assert layers(servers(ports, nodes, most="42")) == []
        assert len(watch.seen) > 20
        assert [found for found in watch.seen if found != writer] == []

    def test_a_weight_that_runs_is_told_and_undone(
        self, ports: Ports, nodes: tuple[FakeMysql, ...]
    ) -> None:
        first = min(node.port for node in nodes)
        tell(
            ports,
            f"UPDATE main.mysql_servers SET weight=5000 WHERE port={first}",
            "LOAD MYSQL SERVERS TO RUNTIME",
        )
        assert layers(servers(ports, nodes)) == ["memory", "runtime"]
        write(servers(ports, nodes))
        assert layers(servers(ports, nodes)) == []


class TestMonitor:
    """P1, P3."""

    def test_a_monitor_that_is_off_is_drift_and_on_again_after_a_run(self, ports: Ports) -> None:
        described = variables(ports, monitor_enabled="true")
        tell(
            ports,
            "SET mysql-monitor_enabled='false'",
            "LOAD MYSQL VARIABLES TO RUNTIME",
            "SAVE MYSQL VARIABLES TO DISK",
        )
        assert layers(described) == ["memory", "disk", "runtime"]
        kind.write_proxysql_variables(described.order(), CONTEXT)
        assert layers(described) == []

    def test_after_a_change_the_monitor_has_looked_again_at_each_node(self, ports: Ports) -> None:
        newest = (
            "SELECT MIN(newest) FROM (SELECT MAX(time_start_us) AS newest"
            " FROM monitor.mysql_server_galera_log GROUP BY port)"
        )
        until(lambda: bool(tell(ports, newest)[0][0]), "the monitor looks")
        now = int(time.time() * 1e6)
        kind.write_proxysql_variables(variables(ports, max_connections="99").order(), CONTEXT)
        assert int(tell(ports, newest)[0][0]) > now

    def test_a_bad_look_from_before_the_question_is_no_verdict(self, tmp_path: Path) -> None:
        """The node is Synced again, and the monitor has not looked since: a rotation ended with exit 1 for it."""
        state = {"bad": True}

        def answer(statement: str) -> Rows | None:
            found = ("1", *SYNCED[1:]) if state["bad"] else SYNCED
            return [found] if "WSREP_LOCAL_STATE" in statement else [("node",)]

        # The node ends last: its server waits for connections, and the monitor keeps one.
        with fake_mysql(answer, {"monitor": "monitor"}) as node, stand_in(tmp_path) as ports:
            write(servers(ports, (node,)))
            until(lambda: len(tell(ports, BAD)) == 1, "the monitor calls it bad")
            state["bad"] = False
            admin = access(ports)
            query = MysqlQuery(
                "x",
                admin.address,
                admin.port,
                admin.user,
                admin.password,
                (LOG,),
                recheck=(BAD, 20.0),
            )
            rows = mysql_reading.answer_mysql_query(query.query())["rows"][LOG]
        assert rows[-1][1:4] == ["YES", "4", None]


class TestStartup:
    """P2."""

    def test_what_the_next_start_reads_is_compared_and_needs_no_restart_yet(
        self, ports: Ports
    ) -> None:
        described = ProxysqlStartup(
            access(ports),
            "proxysql",
            (("mysql-interfaces", f"127.0.0.1:{ports.traffic}"), ("mysql-threads", "4")),
        )
        tell(ports, "SET mysql-interfaces='0.0.0.0:6033'", "SAVE MYSQL VARIABLES TO DISK")
        found = change(described)
        assert found is not None
        assert [item.attribute for item in found.differences] == ["memory", "disk"]
        assert (found.disrupts, found.effects) == (False, ())
        switches.write_proxysql_startup(described.order(), CONTEXT)
        assert layers(described) == []

    def test_what_runs_otherwise_says_that_it_needs_a_restart(self, ports: Ports) -> None:
        other = ProxysqlStartup(access(ports), "proxysql", (("mysql-threads", "8"),))
        found = change(other)
        assert found is not None
        assert (found.disrupts, found.effects) == (True, ("restarts ProxySQL",))


class TestSwitches:
    """P7."""

    def test_a_pause_is_drift_and_ends_with_a_run(self, ports: Ports) -> None:
        described = ProxysqlOpen(access(ports), ports.traffic)
        assert layers(described) == []
        with connect(ports.traffic, "erp", "known-1") as session, session.cursor() as cursor:
            tell(ports, "PROXYSQL PAUSE")
            assert layers(described) == ["takes_sessions"]
            with pytest.raises(pymysql.err.OperationalError, match="111"):
                connect(ports.traffic, "erp", "known-1")
            assert cursor.execute("SELECT @@hostname") == 1, "who is connected goes on"
        switches.write_proxysql_open(described.order(), CONTEXT)
        assert layers(described) == []
        connect(ports.traffic, "erp", "known-1").close()

    def test_an_admin_port_that_refuses_changes_takes_them_again(self, ports: Ports) -> None:
        described = ProxysqlOpen(access(ports), ports.traffic)
        tell(ports, "PROXYSQL READONLY")
        with pytest.raises(pymysql.err.OperationalError, match="readonly database"):
            tell(ports, "UPDATE main.mysql_users SET active=1")
        assert layers(described) == ["takes_changes"]
        switches.write_proxysql_open(described.order(), CONTEXT)
        assert layers(described) == []
        tell(ports, "UPDATE main.mysql_users SET active=1")


class TestFull:
    """P8."""

    def test_within_the_limit_sessions_wait_and_the_writer_is_not_shunned(
        self, ports: Ports, nodes: tuple[FakeMysql, ...]
    ) -> None:
        write(servers(ports, nodes, most="3"))
        errors: list[str] = []

        def client() -> None:
            try:
                with (
                    connect(ports.traffic, "erp", "known-1") as session,
                    session.cursor() as cursor,
                ):
                    cursor.execute("SELECT @@hostname")
            except pymysql.Error as error:
                errors.append(str(error))

        clients = [threading.Thread(target=client) for _ in range(30)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        assert errors == []
        assert len(tell(ports, WRITERS)) == 1

    def test_a_user_has_no_more_sessions_than_described(self, ports: Ports) -> None:
        tell(ports, "UPDATE main.mysql_users SET max_connections=1", "LOAD MYSQL USERS TO RUNTIME")
        first = connect(ports.traffic, "erp", "known-1")
        with first, pytest.raises(pymysql.err.OperationalError, match="1226"):
            connect(ports.traffic, "erp", "known-1")

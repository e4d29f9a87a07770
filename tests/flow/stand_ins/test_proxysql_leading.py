"""The planned move of the writer (P-6), on the stand-in of ProxySQL with clients that write all the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pymysql
import pytest

from keybuzz.agent.runtime.errors import AgentError
from tasks.proxysql.agent import proxysql as kind
from tasks.proxysql.agent import switches
from tasks.proxysql.service.resources import RAISED, ProxysqlWriter
from tests.flow.kinds.test_proxysql_by_hand import (
    SYNCED,
    WRITERS,
    Watch,
    access,
    servers,
    until,
)
from tests.flow.kinds.test_proxysql_kinds import CONTEXT, PLACEMENT, layers, variables, write
from tests.flow.servers.mysql_server import FakeMysql, FaultError, Rows, fake_mysql
from tests.flow.servers.proxysql_server import Ports, connect, stand_in, tell

Nodes = tuple[FakeMysql, ...]
FIRST, SECOND, LAST = (f"127.0.1.{number}" for number in (1, 2, 3))


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """Nodes with addresses of their own, which say that they are Synced."""

    def answer(statement: str) -> Rows | None:
        if "WSREP_LOCAL_STATE" in statement:
            return [SYNCED]
        return None if statement.startswith(("SET", "INSERT")) else [("node",)]

    users = {"monitor": "monitor", "erp": "known-1"}
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(fake_mysql(answer, users, address=address))
            for address in (FIRST, SECOND, LAST)
        )


@pytest.fixture
def ports(tmp_path: Path, nodes: Nodes) -> Iterator[Ports]:
    with stand_in(tmp_path) as found:
        quick = variables(found, monitor_galera_healthcheck_interval="200", monitor_enabled="true")
        kind.write_proxysql_variables(quick.order(), CONTEXT)
        write(servers(found, nodes))
        until(lambda: writer(found) == [LAST], "the last by its address is the writer")
        yield found


def writer(ports: Ports) -> list[str]:
    return [row[0] for row in tell(ports, WRITERS)]


def wish(ports: Ports, node: str) -> ProxysqlWriter:
    weights = tuple(
        (f"{address}:{ports_of(ports)[address]}", "1000") for address in (FIRST, SECOND, LAST)
    )
    return ProxysqlWriter(access(ports), PLACEMENT, node, node or LAST, weights)


def ports_of(ports: Ports) -> dict[str, str]:
    """Return the port of each node, by its address."""
    return {row[0]: row[1] for row in tell(ports, "SELECT hostname, port FROM main.mysql_servers")}


def lead(ports: Ports, node: str) -> None:
    switches.write_proxysql_writer(wish(ports, node).order(), CONTEXT)


class Writing:
    """Sessions that write, each statement in a new one and all in one; every error is kept."""

    def __init__(self, ports: Ports) -> None:
        self.errors: list[str] = []
        self.written = 0
        self._ports, self._ended = ports, threading.Event()
        self._threads = [threading.Thread(target=act) for act in (self._again, self._one)]

    def __enter__(self) -> Writing:
        for thread in self._threads:
            thread.start()
        until(lambda: self.written > 5, "they write")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _again(self) -> None:
        while not self._ended.is_set():
            self._insert(None)

    def _one(self) -> None:
        with connect(self._ports.traffic, "erp", "known-1") as session:
            while not self._ended.is_set():
                self._insert(session)

    def _insert(self, session: pymysql.Connection[pymysql.cursors.Cursor] | None) -> None:
        try:
            used = session or connect(self._ports.traffic, "erp", "known-1")
            with used.cursor() as cursor:
                cursor.execute("INSERT INTO kept VALUES (1)")
            if session is None:
                used.close()
            self.written += 1
        except (pymysql.Error, OSError) as error:
            self.errors.append(str(error))


def inserts(node: FakeMysql) -> int:
    return sum(said.startswith("INSERT") for said in node.said)


def test_the_writer_moves_once_and_back_without_a_failed_statement(
    ports: Ports, nodes: Nodes
) -> None:
    with Writing(ports) as writing, Watch(ports) as watch:
        lead(ports, SECOND)
        left = inserts(nodes[2])
        before = writing.written
        until(lambda: writing.written > before + 20, "they go on writing")
        assert inserts(nodes[2]) == left, "nothing is written on the node that may stop now"
        lead(ports, "")
        assert writer(ports) == [LAST], "it has ended when the writer has moved"
    assert writing.errors == []
    moves = [[row[0] for row in rows] for rows in watch.seen]
    seen = [now for last, now in zip([None, *moves], moves, strict=False) if now != last]
    assert seen == [[LAST], [SECOND], [LAST]]
    assert inserts(nodes[0]) == 0


def not_ready(node: FakeMysql, times: int) -> None:
    """From now on it refuses so many rows, as a node does that stops, while it still says that it is Synced."""
    good, left = node.answer, iter(range(times))

    def answer(statement: str) -> Rows | None:
        if statement.startswith("INSERT") and next(left, None) is not None:
            raise FaultError(1047, "WSREP has not yet prepared node for application use")
        return good(statement)

    node.answer = answer


def test_a_held_session_loses_one_statement_to_a_node_that_stops(
    ports: Ports, nodes: Nodes
) -> None:
    """A number that the server gave holds it to the node (facts/08); the refusal drops that connection."""
    for node in nodes:
        node.numbered = 1
    with connect(ports.traffic, "erp", "known-1") as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES (1)")
        raised = f"UPDATE main.mysql_servers SET weight=5000 WHERE hostname='{SECOND}'"
        tell(ports, raised, "LOAD MYSQL SERVERS TO RUNTIME")
        until(lambda: writer(ports) == [SECOND], "new sessions are led elsewhere")
        not_ready(nodes[2], times=100)
        with pytest.raises(pymysql.err.OperationalError, match="1047"):
            cursor.execute("INSERT INTO kept VALUES (2)")
        cursor.execute("INSERT INTO kept VALUES (3)")
    assert (inserts(nodes[2]), inserts(nodes[1])) == (2, 1)


def test_what_a_node_refuses_that_is_not_ready_is_tried_once_more(
    ports: Ports, nodes: Nodes
) -> None:
    not_ready(nodes[2], times=3)
    with connect(ports.traffic, "erp", "known-1") as session, session.cursor() as cursor:
        with pytest.raises(pymysql.err.OperationalError, match="1047"):
            cursor.execute("INSERT INTO kept VALUES (1)")
        cursor.execute("INSERT INTO kept VALUES (2)")
    assert inserts(nodes[2]) == 4


def test_one_check_that_is_late_moves_no_writer(ports: Ports, nodes: Nodes) -> None:
    """A broken connection does at once; a check without an answer in time must be late three times in a row."""
    good, ended, late = nodes[2].answer, threading.Event(), iter([True])

    def answer(statement: str) -> Rows | None:
        if "WSREP_LOCAL_STATE" in statement and next(late, False):
            ended.wait(20)
        return good(statement)

    log = "SELECT COUNT(*) FROM monitor.mysql_server_galera_log WHERE error='timeout check'"
    checks = (
        f"SELECT MAX(time_start_us) FROM monitor.mysql_server_galera_log WHERE hostname='{LAST}'"
    )
    with Watch(ports) as watch:
        nodes[2].answer = answer
        until(lambda: tell(ports, log) == [("1",)], "one check was late")
        last = tell(ports, checks)
        until(lambda: tell(ports, checks) > last, "it was asked again")
        ended.set()
    assert {row[0] for rows in watch.seen for row in rows} == {LAST}


def test_what_is_raised_is_drift_that_disk_does_not_have(ports: Ports, nodes: Nodes) -> None:
    """A run that was killed between the two leaves it: the next run of proxysql takes it back."""
    read = switches.read_proxysql_writer
    assert read(wish(ports, "").query(), CONTEXT)["attributes"] == {"raised": ""}
    lead(ports, SECOND)
    assert read(wish(ports, "").query(), CONTEXT)["attributes"] == {"raised": SECOND}
    assert layers(servers(ports, nodes)) == ["memory", "runtime"]
    write(servers(ports, nodes))
    assert layers(servers(ports, nodes)) == []
    until(lambda: writer(ports) == [LAST], "the last is the writer again")


@pytest.mark.parametrize("saved", ["SAVE MYSQL SERVERS TO DISK", "DELETE FROM disk.mysql_servers"])
def test_it_is_taken_back_to_the_described_weight_whatever_disk_holds(
    ports: Ports, saved: str
) -> None:
    lead(ports, SECOND)
    tell(ports, saved)
    lead(ports, "")
    assert set(tell(ports, "SELECT weight FROM runtime_mysql_servers")) == {("1000",)}
    assert writer(ports) == [LAST], "it has ended when the writer has moved"


def test_of_two_only_the_named_one_stays_raised(ports: Ports, nodes: Nodes) -> None:
    lead(ports, SECOND)
    lead(ports, FIRST)
    raised = f"SELECT DISTINCT hostname FROM runtime_mysql_servers WHERE weight={RAISED}"
    assert (writer(ports), tell(ports, raised)) == ([FIRST], [(FIRST,)])


def test_it_loads_no_other_change_of_somebody_else(ports: Ports, nodes: Nodes) -> None:
    tell(ports, "UPDATE main.mysql_servers SET max_connections=1")
    with pytest.raises(AgentError, match="memory holds servers that do not run"):
        lead(ports, SECOND)
    assert writer(ports) == [LAST]
    write(servers(ports, nodes))
    tell(
        ports,
        "UPDATE main.global_variables SET variable_value='1' WHERE variable_name='mysql-shun_on_failures'",
    )
    lead(ports, SECOND)
    runs = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-shun_on_failures'"
    assert tell(ports, runs) == [("5",)]


def test_rows_all_among_the_writers_are_two_writers_for_a_while(ports: Ports, nodes: Nodes) -> None:
    """The stand-in is as strict as what it stands for: this is what the layout of the rows avoids (facts/08)."""
    with Watch(ports) as watch:
        tell(
            ports,
            "UPDATE OR IGNORE main.mysql_servers SET hostgroup_id=10",
            "DELETE FROM main.mysql_servers WHERE hostgroup_id<>10",
            "LOAD MYSQL SERVERS TO RUNTIME",
        )
        until(lambda: any(len(rows) == 3 for rows in watch.seen), "all are writers")
    until(lambda: writer(ports) == [LAST], "the monitor has placed them")


def test_a_row_that_leaves_the_writers_with_another_weight_comes_back_with_the_old_one(
    ports: Ports, nodes: Nodes
) -> None:
    """The trap of the stale row (facts/08): one load is wrong, another after a while is right."""
    weights = "SELECT DISTINCT weight FROM runtime_mysql_servers WHERE hostname='127.0.1.3'"
    tell(
        ports,
        "UPDATE main.mysql_servers SET hostgroup_id=77 WHERE hostname='127.0.1.2' AND hostgroup_id=20",
        "UPDATE main.mysql_servers SET hostgroup_id=20, weight=5 WHERE hostname='127.0.1.3'",
        "UPDATE main.mysql_servers SET hostgroup_id=10 WHERE hostgroup_id=77",
        "LOAD MYSQL SERVERS TO RUNTIME",
    )
    until(lambda: writer(ports) == [LAST], "the old writer comes back")
    assert ("1000",) in tell(ports, weights)
    load = "LOAD MYSQL SERVERS TO RUNTIME"
    until(lambda: bool(tell(ports, load) or tell(ports, weights) == [("5",)]), "another load")
    until(lambda: writer(ports) == [SECOND], "the heavier one is the writer")

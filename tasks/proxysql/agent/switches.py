"""ProxySQL's switches: what only a start reads, whether it takes sessions and changes, whom it leads to for a while."""

from __future__ import annotations

import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from keybuzz.agent.wire.docker import quote
from keybuzz.agent.wire.mysql import MysqlError, enter
from tasks.proxysql.agent.proxysql import (
    await_samples,
    cell,
    literal,
    placed_rows,
    read_proxysql_variables,
    samples,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from keybuzz.agent.wire.mysql import Connection

    Nodes = dict[tuple[str, str], dict[str, str]]
    """Columns of each node, by address and port."""

_OPENED = 5.0
"""Seconds after which a port that was let open again must answer."""
_LOADS = 5
_BETWEEN = 0.4
"""Seconds between two LOADs: a row that one took away can come back once with its old weight (facts/08)."""
_LED = 1.5
"""Seconds for the monitor to place the nodes that it has looked at after a LOAD."""
_DRAINED = 12.0
"""Seconds for sessions to leave the node of before: an insert with a number of its own keeps one for ten."""
_UNDESCRIBED = "1"
"""Weight of a node that was raised and is not described: every other one comes before it."""
_SERVERS = "mysql_servers"
_BESIDE = (
    (
        "mysql_galera_hostgroups",
        (
            "writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, max_writers,"
            " writer_is_also_reader, max_transactions_behind"
        ),
    ),
    ("mysql_hostgroup_attributes", "hostgroup_id, init_connect, multiplex"),
)
"""What the same LOAD brings to runtime."""
_NODE = (
    "hostname, port, gtid_port, weight, compression, max_connections, max_replication_lag, use_ssl,"
    " max_latency_ms, comment"
)


def read_proxysql_startup(query: Query, context: Context) -> State:
    """Read the variables in each layer: disk is what the next start reads."""
    return read_proxysql_variables(query, context)


def write_proxysql_startup(order: Query, context: Context) -> None:
    """Save what the next start reads, and restart when what runs differs: a LOAD would put the running value back."""
    with enter(order["access"]) as admin:
        for name, value in order["values"].items():
            admin.query(
                f"UPDATE main.global_variables SET variable_value={literal(value)}"
                f" WHERE variable_name={literal(name)}"
            )
        admin.query("SAVE MYSQL VARIABLES TO DISK")
        running = {name: _running(admin, name) for name in order["values"]}
    if running != order["values"]:
        patience = int(order["stop_timeout"])
        path = f"/containers/{quote(order['name'])}/restart?t={patience}"
        context.docker.act("POST", path, timeout=patience + 60.0)


def read_proxysql_open(query: Query, context: Context) -> State:
    """Return whether it takes sessions (no PROXYSQL PAUSE) and changes (no PROXYSQL READONLY)."""
    del context
    with enter(query["access"]) as admin:
        paused = _paused(admin, query["traffic"])
        read_only = _running(admin, "admin-read_only") == "true"
    attributes = {"takes_sessions": not paused, "takes_changes": not read_only}
    return {"present": True, "attributes": attributes}


def write_proxysql_open(order: Query, context: Context) -> None:
    """Let it take changes and sessions again."""
    del context
    with enter(order["access"]) as admin:
        admin.query("PROXYSQL READWRITE")
        if not _paused(admin, order["traffic"]):
            return
        try:
            admin.query("PROXYSQL RESUME")
        except MysqlError:
            pass  # it was not paused: it is starting
        until = time.monotonic() + _OPENED
        while _paused(admin, order["traffic"]):
            if time.monotonic() > until:
                raise AgentError(
                    f"PROXYSQL RESUME did not open port {order['traffic']}",
                    "docker logs --tail 20 proxysql",
                )
            time.sleep(0.1)


def read_proxysql_writer(query: Query, context: Context) -> State:
    """Return the node that is raised above the others; empty when none is."""
    del context
    with enter(query["access"]) as admin:
        rows = admin.query(
            f"SELECT DISTINCT hostname FROM main.runtime_{_SERVERS} WHERE weight={int(query['raised'])}"
        )
    return {
        "present": True,
        "attributes": {"raised": ", ".join(sorted(str(row[0]) for row in rows))},
    }


def write_proxysql_writer(order: Query, context: Context) -> None:
    """Raise one node above the others, or none: the writer moves once, and no moment has two or none (facts/08).

    The writer's row stays in its hostgroup until the monitor has placed the other: only weights change, not on disk.
    """
    del context
    placed = order["placed"]
    with enter(order["access"]) as admin:
        nodes = _loaded_nodes(admin, placed)
        before = _writers(admin, placed)
        for place, weight in _changed_weights(order, nodes).items():
            nodes[place]["weight"] = weight
        _lead(admin, order, nodes)
        if order["node"]:
            _drain(admin, placed, [place for place in before if place[0] != order["node"]])


def _loaded_nodes(admin: Connection, placed: Query) -> Nodes:
    """Return the nodes in memory by address and port; AgentError when a LOAD would bring in more than their weights."""
    names = _NODE.split(", ")
    memory, runtime = (
        sorted(
            [str(value) for value in row]
            for row in admin.query(
                f"SELECT DISTINCT {_NODE} FROM {layer}{_SERVERS} WHERE {_in_groups(placed)}"
            )
        )
        for layer in ("main.", "main.runtime_")
    )
    found = {(row[0], row[1]): dict(zip(names, row, strict=True)) for row in memory}
    same = memory == runtime and len(found) == len(memory)
    for table, columns in _BESIDE:
        wanted, runs = (
            admin.query(f"SELECT {columns} FROM {layer}{table} ORDER BY 1")
            for layer in ("main.", "main.runtime_")
        )
        same = same and wanted == runs
    if not same:
        raise AgentError(
            "memory holds servers that do not run, and leading the writes elsewhere would load them",
            "kbz run proxysql first",
            outcome="refused",
        )
    return found


def _changed_weights(order: Query, nodes: Nodes) -> dict[tuple[str, str], str]:
    """Return the weights that change, by node: the raised one's, and of each other that was raised the described one.

    What disk holds is not asked: it may have been saved while a node was raised, or not hold it.
    """
    found = {place: str(order["raised"]) for place in nodes if place[0] == order["node"]}
    for (host, port), node in nodes.items():
        if node["weight"] == order["raised"] and host != order["node"]:
            found[host, port] = order["weights"].get(f"{host}:{port}", _UNDESCRIBED)
    return found


def _lead(admin: Connection, order: Query, nodes: Nodes) -> None:
    """Place and load, until the nodes weigh as told, and the one that is told takes the writes."""
    for attempt in range(_LOADS):
        time.sleep(_BETWEEN if attempt else 0)
        _place(admin, order["placed"], nodes)
        before = samples(admin)
        admin.query("LOAD MYSQL SERVERS TO RUNTIME")
        if not _unloaded_variables(admin):
            # Starts a check of all nodes at once.
            admin.query("LOAD MYSQL VARIABLES TO RUNTIME")
        await_samples(admin, before)
        until = time.monotonic() + _LED
        while time.monotonic() < until:
            if _led(admin, order, nodes):
                return
            time.sleep(0.05)
    raise AgentError(
        f"the servers were loaded {_LOADS} times, and writes are not led to {order['leads'] or 'the described node'}",
        "docker logs --tail 20 proxysql",
    )


def _place(admin: Connection, placed: Query, nodes: Nodes) -> None:
    """Write the nodes into memory, the one that takes writes now in the writers' hostgroup."""
    table = {"table": _SERVERS, "placed": placed}
    rows = [{"table": _SERVERS, "values": node} for node in nodes.values()]
    cells = [found for node in nodes.values() for found in placed_rows(admin, table, node, rows)]
    admin.query(f"DELETE FROM main.{_SERVERS} WHERE {_in_groups(placed)}")
    for found in cells:
        values = ", ".join(cell(value) for value in found.values())
        admin.query(f"INSERT INTO main.{_SERVERS} ({', '.join(found)}) VALUES ({values})")


def _led(admin: Connection, order: Query, nodes: Nodes) -> bool:
    rows = admin.query(
        f"SELECT hostname, port, weight FROM main.runtime_{_SERVERS} WHERE {_in_groups(order['placed'])}"
    )
    found = {(str(row[0]), str(row[1]), str(row[2])) for row in rows}
    wanted = {(*place, node["weight"]) for place, node in nodes.items()}
    writers = [address for address, _ in _writers(admin, order["placed"])]
    return found == wanted and (not order["leads"] or writers == [order["leads"]])


def _drain(admin: Connection, placed: Query, left: list[tuple[str, str]]) -> None:
    """Wait until no session holds a connection to the nodes of before; who holds one for longer loses it later."""
    until = time.monotonic() + _DRAINED
    for host, port in left:
        used = (
            "SELECT SUM(ConnUsed) FROM stats.stats_mysql_connection_pool"
            f" WHERE hostgroup={literal(placed['writer'])} AND srv_host={literal(host)} AND srv_port={literal(port)}"
        )
        while int(admin.query(used)[0][0] or 0) and time.monotonic() < until:
            time.sleep(0.05)


def _writers(admin: Connection, placed: Query) -> list[tuple[str, str]]:
    rows = admin.query(
        f"SELECT hostname, port FROM main.runtime_{_SERVERS}"
        f" WHERE {placed['column']}={literal(placed['writer'])} AND status='ONLINE'"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def _in_groups(placed: Query) -> str:
    return f"{placed['column']} IN ({', '.join(literal(group) for group in placed['groups'])})"


def _unloaded_variables(admin: Connection) -> bool:
    """Return whether memory holds variables that do not run: a LOAD for another reason must not bring them in."""
    rows = admin.query(
        "SELECT COUNT(*) FROM main.global_variables AS a JOIN main.runtime_global_variables AS b"
        " ON a.variable_name=b.variable_name WHERE a.variable_name LIKE 'mysql-%'"
        " AND a.variable_value<>b.variable_value"
    )
    return rows[0][0] != "0"


def _paused(admin: Connection, port: int) -> bool:
    """Return whether the port of the applications is closed though what runs says that it is served."""
    served = _running(admin, "mysql-interfaces")
    if not any(item.strip().endswith(f":{port}") for item in served.split(";")):
        return False
    try:
        http.connect_tcp("127.0.0.1", port, 2.0).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _running(admin: Connection, name: str) -> str:
    rows = admin.query(
        "SELECT variable_value FROM main.runtime_global_variables"
        f" WHERE variable_name={literal(name)}"
    )
    return (rows[0][0] or "") if rows else ""

"""ProxySQL's configuration through its admin port: memory, disk and runtime, one statement a call.

Values go there by INSERT and UPDATE: a SET would stand in proxysql.log with its value (facts/08).
"""

from __future__ import annotations

import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import enter, stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from keybuzz.agent.wire.mysql import Connection

_LAYERS = {"memory": "main.", "disk": "disk.", "runtime": "main.runtime_"}
_ATTEMPTS = 5
"""A row that a LOAD took away can come back once with its old weight (facts/08)."""
_BETWEEN = 0.4
"""Seconds between two LOADs."""
_LOOKED = 5.0
"""Seconds for the monitor to look at all nodes after a LOAD."""
_NULL, _PLACED = "(null)", "(galera)"


def _open(query: Query) -> Connection:
    return enter(query["access"])


def read_proxysql_tables(query: Query, context: Context) -> State:
    """Read the described columns of all rows in each layer."""
    with _open(query) as admin:
        return {"present": True, "attributes": _tables(admin, query, context)}


def _tables(admin: Connection, query: Query, context: Context) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    known: dict[str, str] = {}
    for layer, place in _LAYERS.items():
        texts: set[str] = set()
        for table in query["tables"]:
            texts.update(_texts(admin, table, layer, place, known, context))
        found[layer] = sorted(texts)
    return found


def _texts(
    admin: Connection,
    table: Query,
    layer: str,
    place: str,
    known: dict[str, str],
    context: Context,
) -> list[str]:
    """Return the rows of one table in one layer, as the description spells them."""
    left = table["left"] if layer == "runtime" else []
    columns = [column for column in table["columns"] if column not in left]
    placed = table["placed"]
    if placed:
        columns.insert(0, placed["column"])
    # At runtime each user stands there twice: for clients, and for servers.
    users = layer == "runtime" and table["table"] == "mysql_users"
    wanted = [*(["frontend=1"] if users else []), *_ours(table)]
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    texts = []
    for row in admin.query(f"SELECT {', '.join(columns)} FROM {place}{table['table']}{where}"):
        cells = [table["table"]]
        for column, value in zip(columns, row, strict=True):
            if placed and column == placed["column"] and value in placed["groups"]:
                cells.append(f"{column}={_PLACED}")
                continue
            secret = column in table["secret"]
            if secret and value is not None and layer == "memory":
                known[stored(value)] = value
            # With admin-hash_passwords a LOAD keeps the hash of what stands in memory.
            clear = known.get(value, value) if secret and value is not None else value
            cells.append(f"{column}={_shown(clear, secret, context)}")
        texts.append(" ".join(cells))
    return texts


def _ours(table: Query) -> list[str]:
    """Return the condition by which rows are ours; any other row is neither compared nor removed."""
    if "own" not in table:
        return []
    return [f"{table['own']} IN ({', '.join(literal(value) for value in table['ours'])})"]


def _shown(value: str | None, secret: bool, context: Context) -> str:
    if value is None:
        return _NULL
    return context.digest(value.encode(), True)[:28] if secret else value


def write_proxysql_tables(order: Query, context: Context) -> None:
    """Write our rows again and keep them on disk; load them only when what runs differs, until it does not."""
    with _open(order) as admin:
        tables = {table["table"]: table for table in order["tables"]}
        rows = [
            (row["table"], cells)
            for row in order["rows"]
            for cells in placed_rows(admin, tables[row["table"]], row["values"], order["rows"])
        ]
        for table in order["tables"]:
            where = "".join(f" WHERE {condition}" for condition in _ours(table))
            admin.query(f"DELETE FROM main.{table['table']}{where}")
        for name, cells in rows:
            values = ", ".join(cell(value) for value in cells.values())
            admin.query(f"INSERT INTO main.{name} ({', '.join(cells)}) VALUES ({values})")
        admin.query(f"SAVE {order['name']} TO DISK")
        for attempt in range(_ATTEMPTS):
            time.sleep(_BETWEEN if attempt else 0)
            if _runs(admin, order, context):
                return
            _load(admin, order["name"])
        if _runs(admin, order, context):
            return
    raise AgentError(
        f"{order['name']} was loaded {_ATTEMPTS} times, and runs with something else",
        "docker logs --tail 20 proxysql",
    )


def _runs(admin: Connection, order: Query, context: Context) -> bool:
    """Return whether what runs is what stands in memory, in the columns that are compared at runtime."""
    known: dict[str, str] = {}
    for table in order["tables"]:
        wanted = {**table, "columns": [c for c in table["columns"] if c not in table["left"]]}
        memory = set(_texts(admin, wanted, "memory", _LAYERS["memory"], known, context))
        if memory != set(_texts(admin, table, "runtime", _LAYERS["runtime"], known, context)):
            return False
    return True


def _load(admin: Connection, group: str) -> None:
    """Load a group, and wait until the monitor has placed what it loaded."""
    before = samples(admin)
    admin.query(f"LOAD {group} TO RUNTIME")
    if group == "MYSQL SERVERS":
        # Starts a check of all nodes at once.
        admin.query("LOAD MYSQL VARIABLES TO RUNTIME")
    if group in ("MYSQL SERVERS", "MYSQL VARIABLES"):
        await_samples(admin, before)


def samples(admin: Connection) -> dict[str | None, int]:
    """Return when the monitor began its newest check of each node, by ProxySQL's clock."""
    rows = admin.query(
        "SELECT hostname || ':' || port, MAX(time_start_us) FROM monitor.mysql_server_galera_log GROUP BY 1"
    )
    return {row[0]: int(row[1] or 0) for row in rows}


def await_samples(admin: Connection, before: dict[str | None, int]) -> None:
    """Wait until the monitor has looked again at each node that it knew, so that no gate judges by an older look."""
    until = time.monotonic() + _LOOKED
    while time.monotonic() < until:
        after = samples(admin)
        if all(after.get(node, 0) > when for node, when in before.items()):
            return
        time.sleep(0.05)


def placed_rows(
    admin: Connection, table: Query, cells: dict[str, str], rows: list[Query]
) -> list[dict[str, str]]:
    """Return the rows of one node: the writer that runs stays the writer, each other node goes to both other groups."""
    placed = table["placed"]
    if not placed:
        return [cells]
    nodes = [
        (row["values"]["hostname"], row["values"]["port"])
        for row in rows
        if row["table"] == table["table"]
    ]
    running = admin.query(
        f"SELECT hostname, port FROM main.runtime_{table['table']}"
        f" WHERE {placed['column']}={literal(placed['writer'])} AND status='ONLINE'"
    )
    found = [(host, port) for host, port in running if (host, port) in nodes]
    # Without exactly one, the one that the monitor would choose: the last by name.
    writer = found[0] if len(found) == 1 else max(nodes)
    mine = (cells["hostname"], cells["port"]) == writer
    return [
        {placed["column"]: group, **cells}
        for group in ([placed["writer"]] if mine else placed["others"])
    ]


def cell(value: str) -> str:
    """Return a cell as SQL."""
    return "NULL" if value == _NULL else literal(value)


def read_proxysql_no_user(query: Query, context: Context) -> State:
    """Return whether the user is in any layer."""
    with _open(query) as admin:
        return {"present": True, "attributes": {"there": bool(_layers_of(admin, query["name"]))}}


def write_proxysql_no_user(order: Query, context: Context) -> None:
    """Take the user out of memory and disk, and load until it is out of the runtime; open sessions go on."""
    with _open(order) as admin:
        admin.query(f"DELETE FROM main.mysql_users WHERE username={literal(order['name'])}")
        admin.query("SAVE MYSQL USERS TO DISK")
        for attempt in range(_ATTEMPTS):
            time.sleep(_BETWEEN if attempt else 0)
            admin.query("LOAD MYSQL USERS TO RUNTIME")
            if not (left := _layers_of(admin, order["name"])):
                return
    what = f"user {order['name']} was removed, and is still in {', '.join(left)}"
    raise AgentError(what, "docker logs --tail 20 proxysql")


def _layers_of(admin: Connection, user: str) -> list[str]:
    """Return the layers that have a user."""
    condition = f"mysql_users WHERE username={literal(user)}"
    return [
        layer
        for layer, place in _LAYERS.items()
        if admin.query(f"SELECT username FROM {place}{condition}")
    ]


def read_proxysql_variables(query: Query, context: Context) -> State:
    """Read the described variables in each layer."""
    names = ", ".join(literal(name) for name in query["names"])
    found: dict[str, list[str]] = {}
    with _open(query) as admin:
        for layer, place in _LAYERS.items():
            rows = admin.query(
                f"SELECT variable_name, variable_value FROM {place}global_variables WHERE variable_name IN ({names})"
            )
            found[layer] = sorted(
                f"{name}={_shown(value, name in query['secret'], context)}" for name, value in rows
            )
    return {"present": True, "attributes": found}


def write_proxysql_variables(order: Query, context: Context) -> None:
    """Set what is described; ProxySQL says OK to an impossible value too, so the runtime is read again."""
    with _open(order) as admin:
        for name, value in order["values"].items():
            admin.query(
                f"UPDATE main.global_variables SET variable_value={literal(value)}"
                f" WHERE variable_name={literal(name)}"
            )
        _load(admin, order["name"])
        rows = admin.query(
            "SELECT variable_name, variable_value FROM main.runtime_global_variables"
        )
        running = {row[0]: row[1] for row in rows}
        wrong = [name for name, value in order["values"].items() if running.get(name) != value]
        if wrong:
            raise AgentError(
                f"ProxySQL does not take {', '.join(wrong)}", "docker logs --tail 20 proxysql"
            )
        admin.query(f"SAVE {order['name']} TO DISK")


def literal(text: str) -> str:
    """Return a literal of SQLite, which the admin port speaks: only quotes are doubled."""
    return "'" + text.replace("'", "''") + "'"

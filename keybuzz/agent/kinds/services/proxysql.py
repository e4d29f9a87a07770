"""ProxySQL's configuration through its admin port: memory, disk and runtime, one statement a call.

Values go there by INSERT and UPDATE: a SET would stand in proxysql.log with its value (facts/08).
"""

from __future__ import annotations

import time

from keybuzz.agent.kinds.services.mariadb import stored
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import enter

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
            left = table["left"] if layer == "runtime" else []
            columns = [column for column in table["columns"] if column not in left]
            # At runtime each user stands there twice: for clients, and for servers.
            users = layer == "runtime" and table["table"] == "mysql_users"
            wanted = [*(["frontend=1"] if users else []), *_ours(table)]
            where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
            rows = admin.query(f"SELECT {', '.join(columns)} FROM {place}{table['table']}{where}")
            for row in rows:
                cells = [table["table"]]
                for column, value in zip(columns, row, strict=True):
                    secret = column in table["secret"]
                    if secret and value is not None and layer == "memory":
                        known[stored(value)] = value
                    # With admin-hash_passwords a LOAD keeps the hash of what stands in memory.
                    clear = known.get(value, value) if secret and value is not None else value
                    cells.append(f"{column}={_shown(clear, secret, context)}")
                texts.add(" ".join(cells))
        found[layer] = sorted(texts)
    return found


def _ours(table: Query) -> list[str]:
    """Return the condition by which rows are ours; any other row is neither compared nor removed."""
    if "own" not in table:
        return []
    return [f"{table['own']} IN ({', '.join(literal(value) for value in table['ours'])})"]


def _shown(value: str | None, secret: bool, context: Context) -> str:
    if value is None:
        return "(null)"
    return context.digest(value.encode(), True)[:28] if secret else value


def write_proxysql_tables(order: Query, context: Context) -> None:
    """Write our rows again, keep them on disk, and load them until the runtime has them."""
    with _open(order) as admin:
        for table in order["tables"]:
            where = "".join(f" WHERE {condition}" for condition in _ours(table))
            admin.query(f"DELETE FROM main.{table['table']}{where}")
        for row in order["rows"]:
            values = ", ".join(literal(value) for value in row["values"].values())
            admin.query(
                f"INSERT INTO main.{row['table']} ({', '.join(row['values'])}) VALUES ({values})"
            )
        admin.query(f"SAVE {order['name']} TO DISK")
        for attempt in range(_ATTEMPTS):
            time.sleep(_BETWEEN if attempt else 0)
            admin.query(f"LOAD {order['name']} TO RUNTIME")
            if order["name"] == "MYSQL SERVERS":
                # Starts a check of all nodes at once: until then each of them would be a writer.
                admin.query("LOAD MYSQL VARIABLES TO RUNTIME")
            found = _tables(admin, order, context)
            if len(found["runtime"]) == len(found["memory"]):
                return
    raise AgentError(
        f"{order['name']} was loaded {_ATTEMPTS} times, and runs with something else",
        "docker logs --tail 20 proxysql",
    )


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
        admin.query(f"LOAD {order['name']} TO RUNTIME")
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

"""MariaDB: the version of its data, databases and users. A password travels as a proof or as its hash."""

from __future__ import annotations

import os
import re
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import Connection, DeniedError, enter, stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_BINLOG = b"\xfebin"
_UPGRADED = ("mysql_upgrade_info", "mariadb_upgrade_info")
_ANOTHER_LAYOUT = ("ibdata1", "mysql", "grastate.dat")
_DIGEST = re.compile(r"\*[0-9A-F]{40}")
_FORMER, _ANOTHER = "the former one", "another one"
_GRANT = re.compile(r"GRANT (.+) ON (\S+) TO ")
_CLUSTER = re.compile(r"^uuid:\s*([0-9A-Fa-f-]{36})\s*$", re.M)


def read_mariadb_data(query: Query, context: Context) -> State:
    """Return which server wrote the data, and which cluster's it is; no data contradicts nothing."""
    volume = query["name"]
    newest = _series(query["newest"])
    found = max(_versions(volume), default=(0, 0))
    names = opener.names(volume) if opener.is_folder(volume) else []
    another = any(name in names for name in _ANOTHER_LAYOUT)
    return {
        "present": True,
        "attributes": {
            "loadable": found <= newest,
            "newest": ".".join(map(str, found)) if found != (0, 0) else "",
            "layout": "another image's" if another else "bitnami",
            "cluster": _cluster(volume),
        },
    }


def write_mariadb_data(order: Query, context: Context) -> None:
    """Refuse: data is never changed."""
    raise AgentError("data is never converted or removed", "", outcome="refused")


def _versions(volume: str) -> Iterator[tuple[int, int]]:
    """Yield the version of each server that has left its name: after an upgrade, and in the head of each binary log."""
    for folder in (volume, os.path.join(volume, "data")):
        for name, kind in opener.entries(folder) if opener.is_folder(folder) else ():
            if kind == stat.S_IFREG:
                head = opener.head(os.path.join(folder, name), 128)
                if name in _UPGRADED:
                    yield _series(head.decode(errors="replace"))
                elif head.startswith(_BINLOG):
                    # Magic, head of the event and version of the format; then the server's name of itself.
                    yield _series(head[25:75].split(b"\0")[0].decode(errors="replace"))


def _cluster(volume: str) -> str:
    """Return the id of the cluster's history that Galera keeps beside the data; empty where it keeps none."""
    path = os.path.join(volume, "data", "grastate.dat")
    found = _CLUSTER.search(opener.text(path, opener.SMALL)) if opener.is_file(path) else None
    return found[1].lower() if found else ""


def _series(text: str) -> tuple[int, int]:
    match = re.match(r"\s*(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _open(query: Query) -> Connection:
    return enter(query["access"])


def read_mysql_database(query: Query, context: Context) -> State:
    """Read character set and collation."""
    statement = (
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
        f"WHERE SCHEMA_NAME = {literal(query['name'])}"
    )
    with _open(query) as server:
        rows = server.query(statement)
    if not rows:
        return {"present": False, "attributes": {}}
    return {"present": True, "attributes": {"character_set": rows[0][0], "collation": rows[0][1]}}


def write_mysql_database(order: Query, context: Context) -> None:
    """Create the database, or set what new tables in it are born with."""
    name = identifier(order["name"])
    options = f"CHARACTER SET {order['character_set']} COLLATE {order['collation']}"
    with _open(order) as server:
        server.query(f"CREATE DATABASE IF NOT EXISTS {name} {options}")
        server.query(f"ALTER DATABASE {name} {options}")


def read_mysql_user(query: Query, context: Context) -> State:
    """Return whether the user can log in with its password, here and now, which others it has, and which grants."""
    with _open(query) as server:
        if not _exists(server, query["name"]):
            return {"present": False, "attributes": {}}
        rows = server.query(f"SHOW GRANTS FOR {_account(query['name'])}")
        others = _others(server, query)
    held = {_grant(row[0] or "") for row in rows}
    grants = [f"{what} ON {where}" for what, where in query["grants"] if (what, where) in held]
    attributes = {"logs_in": _logs_in(query), "grants": grants, "others": others}
    return {"present": True, "attributes": attributes}


def write_mysql_user(order: Query, context: Context) -> None:
    """Create what is missing; set the password only when it or another one is not as it must be.

    The server gets hashes. Who is connected stays connected.
    """
    account = _account(order["name"])
    # The former one first: who still has it sees the same greeting as before.
    passwords = [word for word in (order["former"], order["password"]) if word]
    ways = " OR ".join(f"mysql_native_password USING {literal(stored(w))}" for w in passwords)
    secret = f"IDENTIFIED VIA {ways}"
    with _open(order) as server:
        server.query(f"CREATE USER IF NOT EXISTS {account} {secret}")
        if not _logs_in(order) or _others(server, order) != [_FORMER][: len(passwords) - 1]:
            server.query(f"ALTER USER {account} {secret}")
        for what, where in order["grants"]:
            server.query(f"GRANT {what} ON {_place(where)} TO {account}")
    if not _logs_in(order):
        raise AgentError(
            f"user {order['name']} was written, and still cannot log in",
            "SELECT User, Host FROM mysql.global_priv: another account may match first",
        )


def read_mysql_no_user(query: Query, context: Context) -> State:
    """Return whether the account is there, by its name and host."""
    with _open(query) as server:
        there = _exists(server, query["user"], query["host"])
    return {"present": True, "attributes": {"there": there}}


def write_mysql_no_user(order: Query, context: Context) -> None:
    """Drop the account; sessions that it has go on until they end."""
    with _open(order) as server:
        server.query(f"DROP USER IF EXISTS {literal(order['user'])}@{literal(order['host'])}")


def _exists(server: Connection, user: str, host: str = "%") -> bool:
    statement = (
        f"SELECT 1 FROM mysql.global_priv WHERE User = {literal(user)} AND Host = {literal(host)}"
    )
    return bool(server.query(statement))


def _others(server: Connection, query: Query) -> list[str]:
    """Return which passwords the user has beside ours, by name."""
    rows = server.query(f"SHOW CREATE USER {_account(query['name'])}")
    known = {stored(query["password"]): ""}
    if query["former"]:
        known[stored(query["former"])] = _FORMER
    found = {known.get(digest, _ANOTHER) for digest in _DIGEST.findall(rows[0][0] or "")}
    return sorted(found - {""})


def _logs_in(query: Query) -> bool:
    access = query["access"]
    try:
        with Connection(access["address"], access["port"], query["name"], query["password"]):
            return True
    except DeniedError:
        return False


def _account(user: str) -> str:
    return f"{literal(user)}@'%'"


def _grant(row: str) -> tuple[str, str]:
    match = _GRANT.match(row)
    return (match[1], re.sub(r"[`\\]", "", match[2])) if match else ("", "")


def _place(where: str) -> str:
    """Return where a grant holds; in the name of a database an underscore would stand for any character."""
    database, _, table = where.partition(".")
    return where if database == "*" else identifier(database).replace("_", "\\_") + f".{table}"


def literal(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(text: str) -> str:
    """Return a quoted SQL identifier."""
    return "`" + text.replace("`", "``") + "`"

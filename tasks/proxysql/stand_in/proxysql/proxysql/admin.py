"""The admin port: SQLite's SQL, and the commands that move the configuration between its layers."""

from __future__ import annotations

import re
import sqlite3
import sys
from dataclasses import dataclass

from proxysql import wire
from proxysql.listener import Door
from proxysql.monitor import Monitor
from proxysql.store import Store
from proxysql.traffic import Counts

_WHAT = r"(MYSQL SERVERS|MYSQL USERS|MYSQL QUERY RULES|MYSQL VARIABLES|ADMIN VARIABLES|PROXYSQL SERVERS)"
_LOAD = re.compile(rf"LOAD {_WHAT} (?:TO RUNTIME|TO RUN|FROM MEMORY)", re.IGNORECASE)
_SAVE = re.compile(rf"SAVE {_WHAT} (?:TO DISK|FROM MEMORY)", re.IGNORECASE)
_RESTORE = re.compile(rf"LOAD {_WHAT} (?:FROM DISK|TO MEMORY)", re.IGNORECASE)
_SET = re.compile(r"SET ((?:admin|mysql)-\w+)\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
_COMMAND = re.compile(r"PROXYSQL (PAUSE|RESUME|READONLY|READWRITE)\s*;?$", re.IGNORECASE)
_NOTHING = re.compile(
    r"(SET (autocommit|names)\b.*|BEGIN|COMMIT|ROLLBACK|START TRANSACTION)", re.IGNORECASE
)
_VARIABLES = re.compile(r"SHOW (?:GLOBAL )?VARIABLES(?: LIKE '([^']*)')?", re.IGNORECASE)
_ONE = re.compile(r"SELECT @@((?:admin|mysql)-\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Parts:
    """What administrators see and change."""

    store: Store
    monitor: Monitor
    counts: Counts
    doors: list[Door]
    """Where applications come in."""


def listen(address: str, parts: Parts) -> None:
    """Serve administrators at one address."""
    Door(address, lambda connection: _session(connection, parts))


def _session(connection: wire.Wire, parts: Parts) -> None:
    store = parts.store
    client = wire.Client(connection, "8.0.11")
    statistics = _let_in(client, store)
    connection.write(wire.ok())
    while True:
        packet = connection.read()
        connection.sequence = 1
        if packet[:1] == b"\x01":
            return
        if packet[:1] != b"\x03":
            connection.write(wire.ok())
            continue
        try:
            statement = packet[1:].decode(errors="replace")
            if "stats_mysql_connection_pool" in statement:
                _count(parts)
            if statistics:
                _of_statistics(connection, statement, store)
            elif _COMMAND.match(statement.strip()):
                _command(connection, statement, store, parts.doors)
            else:
                _answer(connection, statement, store, parts.monitor)
        except wire.RefusedError as refused:
            connection.write(refused.packet())
        except sqlite3.Error as error:
            connection.write(
                wire.RefusedError(1045, f"ProxySQL Admin Error: {error}", "28000").packet()
            )


def _count(parts: Parts) -> None:
    """Write the connections of each row that runs again, as at each reading of that table."""
    with parts.store.lock:
        parts.store.rows("DELETE FROM stats.stats_mysql_connection_pool")
        for group, host, port, status in parts.store.rows(
            "SELECT hostgroup_id, hostname, port, status FROM runtime_mysql_servers"
        ):
            used = parts.counts.in_use(int(group), (str(host), int(port)))
            free = parts.counts.open_to((str(host), int(port))) - used
            parts.store.rows(
                "INSERT INTO stats.stats_mysql_connection_pool VALUES (?,?,?,?,?,?,0,0,0,0,0,0,0,0)",
                *(group, host, port, status, used, max(0, free)),
            )


def _let_in(client: wire.Client, store: Store) -> bool:
    """Return whether it is an account of statistics; the same name among both is one of statistics."""
    pairs = {
        kind: dict(
            pair.split(":", 1)
            for pair in store.runtime_variable(f"admin-{kind}_credentials").split(";")
            if ":" in pair
        )
        for kind in ("stats", "admin")
    }
    for kind, known in pairs.items():
        if client.user not in known:
            continue
        if not client.knows(known[client.user]):
            break
        local = client.wire.socket.getpeername()[0] == "127.0.0.1"
        if client.user in ("admin", "stats") and not local:
            what = f"User '{client.user}' can only connect locally"
            raise wire.RefusedError(1040, what, "42000")
        return kind == "stats"
    print(f"Access denied for user '{client.user}' at the admin port", file=sys.stderr)
    raise client.denied


def _of_statistics(connection: wire.Wire, statement: str, store: Store) -> None:
    """Answer an account of statistics: what it may not read is not there."""
    words = statement.strip().rstrip(";").split()
    first = words[0].upper() if words else ""
    if first not in ("SELECT", "SHOW"):
        raise sqlite3.OperationalError(f'near "{words[0] if words else ""}": syntax error')
    for name in re.findall(r"\b(?:runtime_)?(?:mysql_|global_|proxysql_)\w+", statement):
        if not re.search(rf"\b(?:stats|monitor)\.{name}\b", statement):
            raise sqlite3.OperationalError(f"no such table: {name}")
    _sql(connection, statement, store)


def _command(connection: wire.Wire, statement: str, store: Store, doors: list[Door]) -> None:
    """PROXYSQL PAUSE closes the port of the applications, RESUME opens it; READONLY refuses writes of administrators."""
    word = statement.strip().rstrip(";").split()[1].upper()
    paused = all(door.closed for door in doors)
    if word == "PAUSE":
        if paused:
            raise wire.RefusedError(1105, "MySQL traffic is already paused")
        for door in doors:
            door.close()
    elif word == "RESUME":
        if not paused:
            raise wire.RefusedError(1105, "MySQL traffic is not paused")
        for door in doors:
            door.open()
    else:
        store.set_read_only(word == "READONLY")
    connection.write(wire.ok())


def _answer(connection: wire.Wire, statement: str, store: Store, monitor: Monitor) -> None:
    statement = statement.strip().rstrip(";").strip()
    short = " ".join(statement.split())
    if match := _LOAD.fullmatch(short):
        group = match[1].upper()
        store.load(group)
        if group == "MYSQL SERVERS":
            monitor.loaded()
        if group == "MYSQL VARIABLES":
            monitor.check_now()
        connection.write(wire.ok())
    elif match := _SAVE.fullmatch(short):
        store.save(match[1].upper())
        connection.write(wire.ok())
    elif match := _RESTORE.fullmatch(short):
        store.restore(match[1].upper())
        connection.write(wire.ok())
    elif match := _SET.fullmatch(statement):
        _require_writable(store)
        print(f"Received command {statement}", file=sys.stderr)
        value = match[2].strip().strip("'\"")
        with store.lock:
            changed = store.cursor(
                f"UPDATE main.global_variables SET variable_value={_literal(value)} WHERE variable_name={_literal(match[1])}"
            ).rowcount
        connection.write(wire.ok(changed))
    elif _NOTHING.fullmatch(short):
        connection.write(wire.ok())
    else:
        _sql(connection, _as_sql(statement, short), store)


def _as_sql(statement: str, short: str) -> str:
    if match := _VARIABLES.fullmatch(short):
        like = f" WHERE variable_name LIKE {_literal(match[1])}" if match[1] else ""
        return f"SELECT variable_name AS Variable_name, variable_value AS Value FROM main.global_variables{like}"
    if match := _ONE.fullmatch(short):
        return f"SELECT variable_value AS '@@{match[1]}' FROM main.global_variables WHERE variable_name='{match[1]}'"
    if short.upper() == "SELECT DATABASE()":
        return "SELECT 'admin' AS 'DATABASE()'"
    return statement


def _sql(connection: wire.Wire, statement: str, store: Store) -> None:
    if re.match(
        r"(delete|insert|update|replace)\b.*\bruntime_", statement, re.IGNORECASE | re.DOTALL
    ):
        connection.write(wire.ok())  # they are made anew at each reading
        return
    if not re.match(r"select\b|show\b|pragma\b", statement, re.IGNORECASE):
        _require_writable(store)
    with store.lock:
        cursor = store.cursor(_first(statement))
        rows = cursor.fetchall()
    if cursor.description is None:
        connection.write(wire.ok(max(0, cursor.rowcount)))
    else:
        wire.result(connection, [column[0] for column in cursor.description], rows)


def _require_writable(store: Store) -> None:
    if store.runtime_variable("admin-read_only") == "true":
        raise sqlite3.OperationalError("attempt to write a readonly database")


def _first(statement: str) -> str:
    """Return the first of several statements: the others are not run."""
    for place, letter in enumerate(statement):
        if letter == ";" and sqlite3.complete_statement(statement[: place + 1]):
            return statement[:place]
    return statement


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

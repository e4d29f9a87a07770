"""The readings `mysql-query` and `mysql-checksums`: statements that only read, and never a password in the answer."""

from __future__ import annotations

import time

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import DeniedError, MysqlError, ShutOutError, enter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.wire.mysql import Connection

_TABLES = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES "
    "WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN "
    "('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1, 2 LIMIT {limit}"
)
_READS = ("SELECT ", "SHOW ")
_WRITES = (" INTO ", " FOR UPDATE")


def answer_mysql_query(query: dict[str, Any]) -> dict[str, Any]:
    """Return {"denied": why or "", "rows": {statement: [[text or null]]}}.

    An error of one statement is {"error": text} in its place. No answer on that port is a problem of the whole reading.
    """
    rows: dict[str, Any] = {}
    try:
        with enter(query, query["timeout"]) as connection:
            if query.get("recheck"):
                _recheck(connection, *query["recheck"])
            for statement in query["statements"]:
                rows[statement] = _one(connection, statement)
    except (DeniedError, ShutOutError) as error:
        return {"denied": error.what, "rows": {}}
    return {"denied": "", "rows": rows}


def _recheck(connection: Connection, statement: str, patience: float) -> None:
    """Wait until all that the server's monitor calls bad was found since this question came."""
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < patience:
        rows = _one(connection, statement)
        ages = [row[1] for row in rows if len(row) > 1] if isinstance(rows, list) else []
        if not any(age is not None and _longer(age, elapsed) for age in ages):
            return
        time.sleep(0.1)


def _longer(age: str, elapsed: float) -> bool:
    try:
        return int(age) / 1000 > elapsed
    except ValueError:
        return False


def _one(connection: Connection, statement: str) -> Any:
    words = " ".join(statement.upper().split())
    if not words.startswith(_READS) or any(word in words for word in _WRITES):
        raise AgentError(f"{statement[:60]} is no reading that this agent knows", "update kbz")
    try:
        return [list(row) for row in connection.query(statement)]
    except MysqlError as error:
        return {"error": error.what}


def answer_mysql_checksums(query: dict[str, Any]) -> dict[str, Any]:
    """Return what tasks.galera.service.checksums.MysqlChecksums promises."""
    until = time.monotonic() + query["timeout"]
    try:
        with enter(query["access"], min(5.0, query["timeout"])) as connection:
            rows = connection.query(_TABLES.format(limit=int(query["most"]) + 1))
            if len(rows) > query["most"]:
                raise AgentError(f"there are more than {query['most']} tables", "")
            tables = {
                f"{schema}.{table}": {
                    "engine": engine or "",
                    "rows": int(count or 0),
                    "checksum": _checksum(connection, schema, table, until)
                    if int(size or 0) <= query["largest"]
                    else "",
                }
                for schema, table, engine, count, size in rows
                if schema is not None and table is not None
            }
    except (DeniedError, ShutOutError) as error:
        return {"denied": error.what, "tables": {}}
    return {"denied": "", "tables": tables}


def _checksum(connection: Connection, schema: str, table: str, until: float) -> str:
    left = until - time.monotonic()
    if left <= 0:
        raise AgentError("its tables were not read in time", "")
    place = ".".join(f"`{name.replace('`', '``')}`" for name in (schema, table))
    try:
        rows = connection.query(f"CHECKSUM TABLE {place}", left)
    except MysqlError as error:
        return f"error: {error.what[:80]}"
    return rows[0][1] or "none" if rows and len(rows[0]) > 1 else "none"

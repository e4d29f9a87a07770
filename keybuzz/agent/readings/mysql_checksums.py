"""The reading `mysql-checksums`: what the tables of one MariaDB server hold, as numbers that can be compared."""

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


def checksums(query: dict[str, Any]) -> dict[str, Any]:
    """Return what keybuzz.model.services.mysql_checksums.MysqlChecksums promises."""
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

"""The reading `mysql-query`: statements that only read, from a real login, and never a password in the answer."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import DeniedError, MysqlError, ShutOutError, enter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.wire.mysql import Connection

_READS = ("SELECT ", "SHOW ")
_WRITES = (" INTO ", " FOR UPDATE")


def answer(query: dict[str, Any]) -> dict[str, Any]:
    """Return {"denied": why or "", "rows": {statement: [[text or null]]}}.

    An error of one statement is {"error": text} in its place. Nobody on that port is a problem of the whole reading.
    """
    rows: dict[str, Any] = {}
    try:
        with enter(query, query["timeout"]) as connection:
            for statement in query["statements"]:
                rows[statement] = _one(connection, statement)
    except (DeniedError, ShutOutError) as error:
        return {"denied": error.what, "rows": {}}
    return {"denied": "", "rows": rows}


def _one(connection: Connection, statement: str) -> Any:
    words = " ".join(statement.upper().split())
    if not words.startswith(_READS) or any(word in words for word in _WRITES):
        raise AgentError(f"{statement[:60]} is no reading that this agent knows", "update kbz")
    try:
        return [list(row) for row in connection.query(statement)]
    except MysqlError as error:
        return {"error": error.what}

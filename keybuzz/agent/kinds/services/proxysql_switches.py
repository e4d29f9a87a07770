"""ProxySQL's switches: what only a start reads, and whether it takes sessions and changes now."""

from __future__ import annotations

import time

from keybuzz.agent.kinds.services.proxysql import literal, read_proxysql_variables
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from keybuzz.agent.wire.docker import quote
from keybuzz.agent.wire.mysql import MysqlError, enter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from keybuzz.agent.wire.mysql import Connection

_OPENED = 5.0
"""Seconds after which a port that was let open again must answer."""


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

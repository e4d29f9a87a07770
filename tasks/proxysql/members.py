"""The entry hosts of MariaDB as they answer now. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer
from tasks.proxysql.desired import DEFAULTS, LOG, PLACES, SERVERS, SUMS, VARIABLES, WHERE
from tasks.proxysql.service.resources import RAISED, ProxysqlStartup, ProxysqlVariables
from tasks.proxysql.values import CONTAINER, PORT, WRITER

_WIDTHS = {SERVERS: 3, PLACES: 5, SUMS: 2, LOG: 5, DEFAULTS: 1, VARIABLES: 2}
"""Columns of what each statement selects."""
_MOVING = ("mysql_servers", "mysql_servers_v2")
"""Checksums of servers as they were placed: two hosts that were loaded at different moments differ in them."""
SESSIONS = "proxysql-open:sessions"


def login_problem(answer: Answer) -> str:
    """Return why a login as the application came to nothing; empty when a node answered."""
    if not answer.known:
        return answer.problem
    if answer.value["denied"]:
        return str(answer.value["denied"])
    rows = answer.value["rows"].get(WHERE)
    if isinstance(rows, dict):
        return str(rows.get("error", "no rows came"))
    return "" if rows else "no node answered"


def table(view: HostView, statement: str) -> list[list[str]] | None:
    """Return the rows of one statement to the admin port, texts of its columns; None when it does not say."""
    answer = view.answer("proxysql.admin")
    if not answer.known or answer.value["denied"]:
        return None
    rows: Any = answer.value["rows"].get(statement)
    if not isinstance(rows, list):
        return None
    width = _WIDTHS[statement]
    return [[text or "" for text in row[:width]] for row in rows if len(row) >= width]


def admin_problem(view: HostView) -> str:
    """Return why the admin port does not say what it is asked."""
    answer = view.answer("proxysql.admin")
    return answer.problem or str(answer.value["denied"]) or "no answer"


def writers(view: HostView) -> list[str] | None:
    """Return the addresses that new sessions go to."""
    rows = table(view, SERVERS)
    return None if rows is None else [r[1] for r in rows if r[0] == WRITER and r[2] == "ONLINE"]


def raised(view: HostView) -> str:
    """Return the addresses of the nodes whose weight is above all others; empty when none is."""
    rows = table(view, PLACES) or []
    return ", ".join(sorted({row[0] for row in rows if row[2] == RAISED}))


def checked(view: HostView) -> dict[str, list[str]]:
    """Return the monitor's newest word about each node: primary component, state, error, age in milliseconds."""
    return {row[0]: row[1:] for row in table(view, LOG) or []}


def checksums(view: HostView) -> dict[str, str]:
    """Return checksums of the loaded configuration, and the servers themselves without where the monitor has them."""
    found = {row[0]: row[1] for row in table(view, SUMS) or [] if row[0] not in _MOVING}
    places = table(view, PLACES)
    if found and places is not None:
        found["mysql_servers"] = repr(sorted(places))
    return found


def variables(view: HostView) -> dict[str, str]:
    """Return the variables that run, but for secrets and users' names."""
    return {row[0]: row[1] for row in table(view, VARIABLES) or []}


def described(view: HostView) -> frozenset[str]:
    """Return the names of the variables that kbz sets."""
    kinds = (ProxysqlVariables, ProxysqlStartup)
    return frozenset(
        name
        for resource in view.resources
        if isinstance(resource, kinds)
        for name, _ in resource.values
    )


def paused(view: HostView) -> bool:
    """Return whether PROXYSQL PAUSE keeps new sessions out."""
    return view.attribute(SESSIONS, "takes_sessions") is False


def listeners(view: HostView, port: int) -> list[str]:
    """Return the addresses on which a process listens at a port."""
    answer = view.answer("proxysql.ports")
    found = answer.value["listeners"] if answer.known else []
    return [item.rpartition(":")[0] for item in found if item.endswith(f":{port}")]


def started(view: HostView) -> bool:
    """Return whether the container runs."""
    return view.attribute(f"container:{CONTAINER}", "running") is True


def up(live: Live) -> frozenset[str]:
    """Return the hosts that take sessions now."""
    return frozenset(
        host
        for host, view in live.hosts.items()
        if started(view) and listeners(view, PORT) and not paused(view)
    )


def virgin(live: Live) -> bool:
    """Return whether every host proves that it has neither a container nor a proxysql.db (FRZ-1)."""
    if len(live.hosts) < len(live.members):
        return False
    return all(_empty(view) for view in live.hosts.values())


def _empty(view: HostView) -> bool:
    answer = view.answer("proxysql.data")
    state = view.states.get(f"container:{CONTAINER}")
    gone = state is not None and not state.present and not state.problem
    return (gone or (state is not None and bool(state.problem) and not answer.problem)) and (
        answer.known and not answer.value["names"]
    )

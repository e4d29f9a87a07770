"""Settings made by hand in a running server that take writes, durability or the quorum's rules away. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, Unread, unknown
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import on_host
from keybuzz.model.host.files import File
from keybuzz.model.services.sessions import Sessions
from tasks.galera import values
from tasks.galera.desired import OPEN_ACCOUNTS
from tasks.galera.members import Node, rows

_RISKY = {
    "pc.ignore_sb": "true",
    "pc.ignore_quorum": "true",
    "pc.weight": "0",
}
"""Provider options, and the values with which a part of the cluster goes on as if it were the whole."""
_MODES = frozenset({"STRICT_TRANS_TABLES", "ERROR_FOR_DIVISION_BY_ZERO"})
"""Of the server's own sql_mode: without them wrong values are cut to fit and stored."""


def desync(node: Node) -> Finding:
    """Judge wsrep_desync, when it was switched on by hand: a node that gives a copy to another is no such node."""
    check = "galera.node.desync"
    if isinstance(node.variables, Unread):
        return unknown(check, node.variables.why, node.host)
    if node.variables.get("wsrep_desync", "OFF") == "OFF":
        return Finding(check, Level.OK, "takes part in flow control", node.host)
    text = "wsrep_desync is ON by hand: it falls behind, and is no copy to rely on"
    return Finding(check, Level.CRITICAL, text, node.host, _set("wsrep_desync", "OFF"))


def writable(node: Node) -> Finding:
    """Judge whether a client that is led to this node could write."""
    check = "galera.node.writable"
    if isinstance(node.variables, Unread):
        return unknown(check, node.variables.why, node.host)
    for name, free in (
        ("read_only", "OFF"),
        ("super_read_only", "OFF"),
        ("wsrep_on", "ON"),
        ("wsrep_reject_queries", "NONE"),
    ):
        found = node.variables.get(name, free)
        if found not in (free, "0" if free == "OFF" else free):
            text = f"{name} is {found} by hand: it cannot take over"
            return Finding(check, Level.CRITICAL, text, node.host, _set(name, free))
    return Finding(check, Level.OK, "takes writes", node.host)


def provider(view: HostView, node: Node) -> Finding:
    """Compare the provider options that are at work with the described ones, and with what is never right."""
    check = "galera.settings.provider"
    if isinstance(node.variables, Unread):
        return unknown(check, node.variables.why, node.host)
    live = options(node.variables.get("wsrep_provider_options", ""))
    if not live:
        return unknown(check, "the server does not tell its provider options", node.host)
    wanted = {**dict.fromkeys(_RISKY, ""), **_described(view)}
    for key, value in wanted.items():
        found = live.get(key, "")
        wrong = found == _RISKY[key] if not value else not _same(found, value)
        if wrong and found:
            text = f"{key} is {found}" + (f", and {value} is described" if value else " by hand")
            hint = "SET GLOBAL wsrep_provider_options on the node, or kbz restart galera"
            return Finding(check, Level.CRITICAL, text, node.host, hint)
    return Finding(check, Level.OK, "provider options as described", node.host)


def sessions(node: Node) -> Finding:
    """Judge how many sessions are left; the server keeps one more for an administrator."""
    check, variables = "galera.sessions.room", node.variables
    if isinstance(variables, Unread):
        return unknown(check, variables.why, node.host)
    taken, limit = node.status.get("Threads_connected", ""), variables.get("max_connections", "")
    if not (taken.isdecimal() and limit.isdecimal()):
        return unknown(check, "the node did not say how many sessions it has left", node.host)
    found = Sessions(int(taken), int(limit))
    if found.level is Level.OK:
        return Finding(check, Level.OK, str(found), node.host)
    words = ("docker", "exec", "-it", "mariadb", "mariadb", "-p", "-e", "SHOW PROCESSLIST")
    return Finding(
        check, found.level, str(found), node.host, f"who has them: {on_host(node.host, *words)}"
    )


def modes(node: Node) -> Finding:
    """Judge the sql_mode of new sessions."""
    check = "galera.settings.sql-mode"
    if isinstance(node.variables, Unread):
        return unknown(check, node.variables.why, node.host)
    found = node.variables.get("sql_mode")
    if found is None:
        return unknown(check, "the server does not tell its sql_mode", node.host)
    missing = sorted(_MODES - set(found.split(",")))
    if not missing:
        return Finding(check, Level.OK, "wrong values are refused", node.host)
    text = f"sql_mode lacks {', '.join(missing)}: wrong values are cut to fit and stored"
    return Finding(
        check,
        Level.CRITICAL,
        text,
        node.host,
        "kbz restart galera, or SET GLOBAL sql_mode = DEFAULT",
    )


def accounts(view: HostView, host: str) -> Finding:
    """Judge accounts that let in without a password."""
    check, found = "galera.accounts.open", rows(view.answer("galera.node"), OPEN_ACCOUNTS)
    if isinstance(found, Unread):
        return unknown(check, found.why, host)
    if not found:
        return Finding(check, Level.OK, "every account has a password", host)
    named = ", ".join(f"{row[0]}@{row[1]}" for row in found[:5])
    text = f"no password: {named}"
    return Finding(
        check,
        Level.CRITICAL,
        text,
        host,
        "DROP USER, or ALTER USER … IDENTIFIED BY …, by its owner",
    )


def options(text: str) -> dict[str, str]:
    """Return wsrep_provider_options as the server tells them: `key = value; ` for each."""
    pairs = (item.partition("=") for item in text.split(";"))
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def _described(view: HostView) -> dict[str, str]:
    files = (r for r in view.resources if isinstance(r, File) and r.path == values.MY_CNF)
    for file in files:
        for line in file.text.masked().splitlines():
            if line.startswith("wsrep_provider_options = "):
                return options(line.partition(" = ")[2].strip('"'))
    return {}


def _same(found: str, wanted: str) -> bool:
    """Return whether two values of an option are one: it tells TRUE as true, and 1.0 as 1."""
    if found.lower() == wanted.lower():
        return True
    try:
        return float(found) == float(wanted)
    except ValueError:
        return False


def _set(name: str, value: str) -> str:
    return f"SET GLOBAL {name} = {value} on the node, when what it was set for is over"

"""Whether both entry hosts of MariaDB run the same configuration. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, of_hosts, unknown
from keybuzz.model.core.live import Live
from tasks.proxysql.members import admin_problem, checksums, described, variables, writers

CHECK = "proxysql.parity"
_VARIABLES = ("admin_variables", "mysql_variables")
_BY_HAND = (
    "no run ends it, for nothing that is described differs: kbz drift proxysql names what no file describes; its owner "
    "takes it off, or describes it in applications.yaml"
)
_MOST = 5
"""Variables that one finding names."""


def alike(live: Live) -> Finding:
    """Return the finding about all hosts together."""
    sums = {host: checksums(view) for host, view in live.hosts.items()}
    told = [found for found in sums.values() if found]
    names = {name for found in told for name in found}
    differing = sorted(n for n in names if len({found.get(n) for found in told}) > 1)
    if differing:
        return _differ(live, differing)
    away = of_hosts(
        (host, admin_problem(view))
        for host, view in live.hosts.items()
        if not sums[host] or writers(view) is None
    )
    if away is not None:
        return unknown(CHECK, away.why)
    if len(live.hosts) < len(live.members):
        return Finding(CHECK, Level.UNKNOWN, "not all hosts can be compared")
    chosen = {tuple(writers(view) or ()) for view in live.hosts.values()}
    if len(chosen) > 1:
        return Finding(CHECK, Level.CRITICAL, "the hosts do not lead to the same writer")
    return Finding(CHECK, Level.OK, "all hosts run the same configuration, with the same writer")


def _differ(live: Live, differing: list[str]) -> Finding:
    """Name what differs, and the way out that works: a run for what is described, an UPDATE for what is not."""
    found = {host: variables(view) for host, view in live.hosts.items() if variables(view)}
    names = {name for values in found.values() for name in values}
    apart = sorted(n for n in names if len({values.get(n) for values in found.values()}) > 1)
    ours = frozenset[str]().union(*(described(view) for view in live.hosts.values()))
    foreign = [name for name in apart if name not in ours and name.startswith(("admin-", "mysql-"))]
    others = [name for name in differing if name not in _VARIABLES or not apart]
    shown = [
        f"{name} ({', '.join(f'{host}: {values.get(name)}' for host, values in found.items())})"
        for name in apart[:_MOST]
    ]
    text = f"not the same on all hosts: {', '.join((*others, *shown))}"
    if others and live.hosts.keys() <= live.selected and not any(live.changes()):
        return Finding(CHECK, Level.CRITICAL, text, hint=_BY_HAND)
    if not foreign or len(foreign) < len(apart) or others:
        return Finding(CHECK, Level.CRITICAL, text, hint="kbz run proxysql")
    kind = "MYSQL" if foreign[0].startswith("mysql-") else "ADMIN"
    hint = (
        "kbz does not set it: at the admin port of the host that is wrong, UPDATE global_variables"
        f" SET variable_value='…' WHERE variable_name='{foreign[0]}', LOAD {kind} VARIABLES TO RUNTIME,"
        f" SAVE {kind} VARIABLES TO DISK"
    )
    return Finding(CHECK, Level.CRITICAL, text, hint=hint)

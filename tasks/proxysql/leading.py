"""Where sessions are led while a node of Galera is interrupted as planned: elsewhere before, and back after. Pure.

Without it the writer would move when it stops: statements at work are lost, others wait for the monitor, and the two
hosts disagree meanwhile (facts/08). It moves to the node that ProxySQL would choose then, by weights, on all hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, HostView, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.handover import Candidate
from keybuzz.site.module import Switchover
from tasks.proxysql import values
from tasks.proxysql.checks import old
from tasks.proxysql.desired import SERVERS
from tasks.proxysql.members import checked, raised, started, table, writers
from tasks.proxysql.service.resources import ProxysqlTables, ProxysqlWriter
from tasks.proxysql.settled import SERVER_MOVED

_TABLES = "proxysql-tables:MYSQL SERVERS"
LED_TIMEOUT = 30.0
"""Seconds for all hosts to lead to one node."""
BACK_TIMEOUT = 600.0
"""Seconds for a node to be Synced again, as each host sees it."""


def lead_away(live: Live, server: Server) -> Stage | None:
    """Return the stage that leads new sessions to another node than this one; None when no host leads there.

    RefusedError when one of the hosts could not: then none does, and all lead on as they would after a fault.
    """
    own, hosts = str(server.address), _asked(live)
    leading = [host for host, view in hosts.items() if own in (writers(view) or ())]
    heirs = _sound(hosts.values()) - {own}
    if not leading or not heirs:
        return None
    _require_loaded(hosts)
    heir = max(live.awake(heirs))
    return _lead_to(live, heir, f"lead writes to {heir} instead of {server.name}")


def _lead_to(live: Live, heir: str, name: str) -> Stage:
    """Return the stage after which all hosts lead writes to one node, which is raised above the others."""
    changes = tuple(
        _change(live, host, heir, heir)
        for host, view in _asked(live).items()
        if writers(view) != [heir]
    )

    def reason(now: Live) -> str | None:
        for host, view in _asked(now).items():
            if (found := writers(view)) != [heir]:
                return f"{host} leads writes to {', '.join(found or ()) or 'none'}"
        return None

    gate = Gate(f"all hosts lead writes to {heir}", reason, LED_TIMEOUT)
    return Stage(name, changes, after=gate)


def lead_back(live: Live, server: Server) -> Stage | None:
    """Return the stage that undoes `lead_away` when this node is sound again; None when no node is raised.

    None too while another node that is in maintenance would take the writes then: the raised one keeps them. This one
    is given back, also where its own maintenance ends by that.
    """
    own = str(server.address)
    sound = _sound(_asked(live).values()) | {own}
    leads = max(sound)
    stage = _stage_back(live, leads) if leads in {*live.awake(sound), own} else None
    if stage is None:
        return None
    hosts = frozenset(stage.hosts)

    def away(now: Live) -> str | None:
        for host, view in _asked(now).items():
            if host in hosts and own not in _sound([view]):
                return f"{host} does not see {server.name} Synced yet"
        return None

    before = Gate(f"every host sees {server.name} Synced", away, BACK_TIMEOUT)
    return replace(stage, before=before)


def leads(live: Live, servers: tuple[Server, ...]) -> str:
    """Return the node that all hosts lead writes to; RefusedError when they do not agree on one."""
    named = {str(server.address): server.name for server in servers}
    found = {tuple(writers(view) or ()) for view in _asked(live).values()}
    addresses = next(iter(found)) if len(found) == 1 else ()
    if len(addresses) == 1 and addresses[0] in named:
        return named[addresses[0]]
    told = sorted({address for every in found for address in every})
    raise RefusedError(
        f"the entries lead writes to {', '.join(told) or 'no node'}, and not all to one node",
        where="proxysql",
        hint="kbz health proxysql galera; nothing was changed",
    )


def candidates(live: Live, servers: tuple[Server, ...]) -> tuple[Candidate, ...]:
    """Return all nodes but the writer, each with why not every host could lead writes to it now."""
    leading, hosts = leads(live, servers), _asked(live)
    return tuple(
        _candidate(server, hosts, [*hosts, *live.unreachable])
        for server in servers
        if server.name != leading
    )


def _candidate(server: Server, hosts: Mapping[str, HostView], every: list[str]) -> Candidate:
    own = str(server.address)
    good = [host for host, view in hosts.items() if own in _candidates(view)]
    away = sorted(set(every) - set(good))
    if not away:
        return Candidate(server.name, "Synced, as every entry sees it")
    return Candidate(
        server.name,
        f"Synced, as {len(good)} of {len(every)} entries see it",
        f"{', '.join(away)} could not lead writes to it now",
    )


def move(live: Live, server: Server, to: Server | None) -> Stage:
    """Return the stage that moves the writer: to a node, or to the one that equal weights choose among the others.

    A node that equal weights choose anyway is not raised: nothing is left of an earlier move then.
    """
    hosts = _asked(live)
    _require_loaded(hosts)
    sound = _sound(hosts.values())
    heirs = sound - {str(server.address)}
    heir = str(to.address) if to is not None else max(live.awake(heirs), default="")
    if heir not in heirs:
        raise RefusedError(
            f"no other node than {server.name} takes the writes now",
            where="proxysql",
            hint="kbz health proxysql galera; nothing was changed",
        )
    back = _stage_back(live, heir) if heir == max(sound) else None
    return back or _lead_to(live, heir, f"lead writes to {heir} instead of {server.name}")


SWITCHOVER = Switchover(
    leads,
    candidates,
    move,
    "until the next kbz run, restart or recover of the cluster, or a start of ProxySQL: it is in their memory only",
)


def lead_as_described(live: Live) -> Stage | None:
    """Return the stage after which no node is raised; None when none is, or while one in maintenance would lead then.

    It does not wait for a node that is away: that one takes the writes when it is back, as after any fault.
    """
    sound = _sound(_asked(live).values())
    return _stage_back(live, "") if not sound or max(sound) in live.awake(sound) else None


def _stage_back(live: Live, leads: str) -> Stage | None:
    """Return the stage in which no node is raised and this one takes the writes, if it is known already."""
    hosts = {host: view for host, view in _asked(live).items() if raised(view)}
    if not hosts:
        return None
    changes = tuple(_change(live, host, "", leads) for host in hosts)
    return Stage(
        "lead writes as described",
        changes,
        after=Gate("all hosts lead writes as described", _not_as_described, LED_TIMEOUT),
    )


def _not_as_described(now: Live) -> str | None:
    """Return which host leads to another node than the one that equal weights choose; None when none does."""
    hosts = _asked(now)
    chosen = max(_sound(hosts.values()), default="")
    for host, view in hosts.items():
        if node := raised(view):
            return f"{node} is raised on {host}"
        if chosen and (found := writers(view)) != [chosen]:
            return f"{host} leads writes to {', '.join(found or ()) or 'none'} instead of {chosen}"
    return None


def _asked(live: Live) -> dict[str, HostView]:
    """Return the hosts whose ProxySQL runs and says where it leads."""
    return {
        host: view
        for host, view in live.hosts.items()
        if started(view) and table(view, SERVERS) is not None
    }


def _sound(views: Iterable[HostView]) -> set[str]:
    """Return the addresses of nodes that every one of these hosts could lead writes to now."""
    found = [_candidates(view) for view in views]
    return set.intersection(*found) if found else set()


def _candidates(view: HostView) -> set[str]:
    seen = checked(view)
    good = {
        node
        for node, (primary, state, why, age) in seen.items()
        if (primary, state) == ("YES", "4") and not why and not old(age)
    }
    groups = (values.WRITER, values.BACKUP)
    rows = table(view, SERVERS) or []
    return {row[1] for row in rows if row[0] in groups and row[2] == "ONLINE"} & good


def _require_loaded(hosts: Mapping[str, HostView]) -> None:
    """Raise RefusedError when a host's memory holds servers that do not run: a LOAD for the weights would load them."""
    for host, view in hosts.items():
        layers = (view.attribute(_TABLES, layer) for layer in ("memory", "runtime"))
        memory, runtime = (_comparable(rows) for rows in layers)
        if memory != runtime:
            raise RefusedError(
                "its memory holds servers that do not run, and leading the writes elsewhere would load them",
                where=host,
                hint="kbz drift proxysql shows them",
            )


def _comparable(rows: object) -> frozenset[str]:
    """Return rows as a description spells them, without what the monitor sets at runtime."""
    moved = re.compile(rf" ({'|'.join(SERVER_MOVED)})=\S*")
    return (
        frozenset(moved.sub("", str(row)) for row in rows)
        if isinstance(rows, (list, tuple))
        else frozenset()
    )


def _change(live: Live, host: str, node: str, leads: str) -> Change:
    view = live.hosts[host]
    servers = next(
        r for r in view.resources if isinstance(r, ProxysqlTables) and r.identity == _TABLES
    )
    rows = [dict(row) for table in servers.tables if table.placed for row in table.rows]
    weights = tuple((f"{row['hostname']}:{row['port']}", str(row["weight"])) for row in rows)
    wish = ProxysqlWriter(servers.access, values.PLACEMENT, node, leads, weights)
    return Change(
        host, live.module, wish, Action.UPDATE, (Difference("raised", raised(view), node),)
    )

"""The next step for Galera, from its live state. Pure.

A cluster is born once, on ground that all members prove to be virgin: the first node is marked and gets an ephemeral
container with the bootstrap flag, the others join it one by one, and then it is replaced by a joiner like them. The
mark is removed when the node serves: while it is there, a first start was cut off, and is begun again over what it
left. Later nothing here ever makes a cluster: what is stopped joins the Primary component, or forms it again with those
that were in it (pc.recovery). Where neither can be, the run stops and names `kbz recover galera`.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from tasks.galera import values
from tasks.galera.formats import FORMATS
from tasks.galera.members import CONTAINER_ID, DATA_ID, MARKER_ID, cut_off, nodes, unborn, writer
from tasks.galera.ready import RECOVER, exited, no_primary, not_synced
from tasks.galera.service.resources import (
    ANOTHER,
    MariadbData,
    MysqlDatabase,
    MysqlNoUser,
    MysqlUser,
)

BIRTH_TIMEOUT = 660.0
"""Seconds to make the data of a new cluster and to serve it: the image's setup gives its own server 600."""
JOIN_TIMEOUT = 1800.0
"""Seconds: a state transfer copies all data by rsync."""
RETURN_TIMEOUT = 180.0
"""Seconds for members to find each other again, or to finish what they are at."""
_START_ID = f"file:{values.START}"
_INSIDE = (MysqlDatabase, MysqlUser, MysqlNoUser)


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = [change for change in ready if isinstance(change.resource, Container)]
    inside = [change for change in ready if isinstance(change.resource, _INSIDE)]
    marked = [change for change in ready if change.identity == MARKER_ID]
    apart = (*containers, *inside, *marked)
    primary = any(node.primary for node in nodes(live).values())
    if not (primary or _is_ours(live)):
        # What is refused of an old deployment leaves no file behind.
        _without_primary(live, containers)
    if around := tuple(change for change in ready if change not in apart):
        return Stage("prepare", around)
    if not primary:
        return _without_primary(live, containers)
    if marked:
        return _first_start_ended(marked[0])
    if starting := [change for change in containers if not change.disrupts]:
        return _join(live, starting[0])
    if containers:
        return _replace(live, containers)
    if unsettled := _settle(live):
        return unsettled
    return Stage("database and users", tuple(inside)) if inside else None


def _is_ours(live: Live) -> bool:
    """Return whether kbz has made this cluster ready before: a stopped one needs its files to be started again."""
    return any(view.present(_START_ID) for view in live.hosts.values())


def bootstrap(live: Live, host: str, container: Callable[[Container], Container]) -> Stage:
    """Return the ephemeral step that makes a Primary component of one node, with what `container` makes of its own."""
    resource = next(r for r in live.hosts[host].resources if isinstance(r, Container))
    changes = (_with_flag(live, host, container(resource)),)
    return Stage(f"bootstrap {host}", changes, after=_born(host))


def _born(host: str) -> Gate:
    return Gate(
        f"{host} is a Primary component, Synced",
        lambda now: not_synced(now, [host]),
        BIRTH_TIMEOUT,
        hopeless=lambda now: exited(now, host),
    )


def _first_start_ended(change: Change) -> Stage:
    """Take the mark away from a node that serves: its data is the cluster's from now on."""
    serves = Gate(
        f"{change.host} serves", lambda now: not_synced(now, [change.host]), RETURN_TIMEOUT
    )
    return Stage("the first start has ended", (change,), before=serves)


def _with_flag(live: Live, host: str, resource: Container) -> Change:
    view = live.hosts[host]
    if not view.present(CONTAINER_ID):
        differences = (Difference("running", None, True), Difference("restart", None, "no"))
        return Change(host, live.module, resource, Action.CREATE, differences)
    restart = view.attribute(CONTAINER_ID, "restart")
    was = restart if isinstance(restart, str) else None
    differences = (Difference("running", False, True), Difference("restart", was, "no"))
    return Change(host, live.module, resource, Action.UPDATE, differences)


def refuse_foreign(live: Live) -> None:
    """Newer or foreign data, another password, and two clusters at once are never touched."""
    found = nodes(live)
    refuse_foreign_data(live)
    for change in live.changes():
        if isinstance(change.resource, MysqlUser) and _has_two(live, change):
            # Its users would be shut out, and kbz cannot tell who they are.
            raise RefusedError(
                f"{change.resource.name} has another password beside the one of mariadb.env",
                where=change.host,
                hint="a rotation was cut off, or keeps the old one: kbz secrets rotate ends it",
            )
    for host, node in found.items():
        if node.denied and host in live.selected:
            raise RefusedError(
                f"MariaDB serves, and does not let kbz in: {node.denied}",
                where=host,
                hint=_way_in(node.denied),
            )
    primaries = [node for node in found.values() if node.primary]
    if len({node.uuid for node in primaries}) > 1 or (
        primaries and len(primaries) > max(node.size for node in primaries)
    ):
        raise RefusedError(
            f"{' and '.join(node.host for node in primaries)} are Primary without each other: two clusters",
            where="galera",
            hint="stop writing; the owner decides whose data stays. kbz changes nothing here",
        )
    _refuse_another_history(live, {node.uuid for node in primaries})


def refuse_foreign_data(live: Live) -> None:
    """Data in another layout, or of another server, is never touched."""
    for change in live.changes():
        if isinstance(change.resource, MariadbData):
            raise RefusedError(
                change.reason or _foreign_data(live, change.host),
                where=change.host,
                hint=f"nothing was written; {_other_data(live, change.host)}",
            )


def _refuse_another_history(live: Live, serving: set[str]) -> None:
    """Data of another cluster never joins: the state transfer would replace it."""
    found = nodes(live)
    held = {host: node.history for host, node in found.items() if node.history}
    told = ", ".join(f"{host} {history}" for host, history in held.items())
    hint = (
        "nothing was written: to join would replace that data. The owner decides whose stays; move the other away "
        f"({values.DATA} on its host), then run again"
    )
    if not serving and len(set(held.values())) > 1 and live.selected & set(held):
        why = f"the members hold data of different clusters: {told}"
        raise RefusedError(why, where="galera", hint=hint)
    for host, history in held.items():
        if serving and history not in serving and not found[host].primary and host in live.selected:
            why = f"its data is of another cluster ({history}) than the one that serves ({min(serving)})"
            raise RefusedError(why, where=host, hint=hint)


def _way_in(denied: str) -> str:
    """Return what an operator can do about a node that serves others and refuses us."""
    if "not allowed to connect" in denied:
        return "no account of the administrator is for this host: create one on the node, as the server's log says"
    if "is blocked" in denied:
        flush = proposed("docker", "exec", values.CONTAINER, "mysqladmin", "flush-hosts")
        return f"{flush}, as its administrator; nothing was written"
    if "Too many connections" in denied:
        return (
            "wait until sessions have ended, or raise galera.max_connections; nothing was written"
        )
    return "nothing was written; kbz adopt galera --take-credentials finds the live one for mariadb.env"


def _has_two(live: Live, change: Change) -> bool:
    view = live.hosts[change.host]
    others = view.attribute(change.identity, "others")
    found = others if isinstance(others, (tuple, list)) else ()
    return ANOTHER in found and view.attribute(change.identity, "logs_in") is True


def _other_data(live: Live, host: str) -> str:
    newest = live.hosts[host].attribute(DATA_ID, "newest")
    if live.hosts[host].attribute(DATA_ID, "loadable") is False:
        return FORMATS.way_out(str(newest))
    return "data is never converted, moved or removed by a run"


def _foreign_data(live: Live, host: str) -> str:
    view = live.hosts[host]
    if view.attribute(DATA_ID, "layout") != "bitnami":
        return f"{values.VOLUME} holds data in the layout of {view.attribute(DATA_ID, 'layout')}"
    newest = view.attribute(DATA_ID, "newest")
    known = [item.newest for item in view.resources if isinstance(item, MariadbData)]
    return f"the data was written by MariaDB {newest}; the frozen image opens {known[0] if known else 'none'}"


def _without_primary(live: Live, containers: list[Change]) -> Stage | None:
    found = nodes(live)
    if unborn(live):
        return _birth(live)
    missing = sorted({member.name for member in live.members} - found.keys())
    if missing and not any(node.data for node in found.values()):
        raise RefusedError(
            f"a first start needs all members, and {', '.join(missing)} cannot be read",
            where="galera",
            hint="bring it back first: whether a cluster lives there cannot be told",
        )
    # A node without data has nothing to form a cluster from: it joins later.
    starting = tuple(c for c in containers if not c.disrupts and found[c.host].data)
    running = [host for host, node in found.items() if node.running]
    if starting and not running and not any(node.recoverable for node in found.values()):
        where = ", ".join(host for host, node in found.items() if node.data)
        raise RefusedError(
            f"the cluster is stopped, and no node on its own knows how to go on (data on {where})",
            where="galera",
            hint=f"{RECOVER} shows every node's position and starts the most advanced",
        )
    if starting:
        # Who was in the last Primary component makes it again, when enough of them are there.
        return Stage("start together", starting, after=_returned())
    if running:
        return Stage("wait", (), after=_returned())
    return None


def _returned() -> Gate:
    return Gate("the members form their Primary component again", no_primary, RETURN_TIMEOUT)


def _birth(live: Live) -> Stage | None:
    """Bootstrap the first node; go on with it when an earlier run was cut off there."""
    if not live.selected:
        return None
    found = nodes(live)
    first = cut_off(live) or live.members[0].name
    if left := sorted(found.keys() - live.selected):
        raise RefusedError(
            f"a first start needs all members, and --limit leaves out {', '.join(left)}",
            where="galera",
            hint="kbz run galera --limit galera",
        )
    for host, node in found.items():
        if host != first and node.present:
            raise RefusedError(
                "has a container and no data, and there is no cluster that it could join",
                where=host,
                hint=f"remove it by hand ({proposed('docker', 'rm', '-f', values.CONTAINER)}); then run again",
            )
    if found[first].running:
        return Stage("wait", (), after=_born(first))
    if not found[first].marked:
        return Stage("mark the first start", (_mark(live, first),))
    return bootstrap(live, first, values.first_start)


def _mark(live: Live, host: str) -> Change:
    """Return the mark in the volume, which says until the node serves that nothing was ever written there."""
    mark = File(f"{values.VOLUME}/{values.MARKER}", Content.plain(values.MARKER_TEXT))
    differences = (Difference("first start", None, "under way"),)
    return Change(host, live.module, mark, Action.CREATE, differences)


def _join(live: Live, change: Change) -> Stage:
    """Let one node join those that are there, which must all serve first."""
    serving = [host for host, node in nodes(live).items() if node.running and host != change.host]
    return Stage(
        f"join {change.host}",
        (change,),
        before=Gate(
            f"{' and '.join(serving)} serve",
            lambda now: not_synced(now, serving, len(serving)),
            RETURN_TIMEOUT,
        ),
        after=Gate(
            f"{change.host} is Synced, {len(serving) + 1} members",
            lambda now: not_synced(now, [*serving, change.host], len(serving) + 1),
            JOIN_TIMEOUT,
        ),
    )


def _replace(live: Live, containers: list[Change]) -> Stage:
    """Replace one running node: a bootstrap container first, because its next restart would leave the cluster."""
    found = nodes(live)
    flagged = [change for change in containers if found[change.host].flagged]
    # ProxySQL's writer comes last: it moves once, when the others have been replaced.
    change = (
        flagged[0] if flagged else min(containers, key=lambda c: (c.host == writer(live), c.host))
    )
    host = change.host
    everybody = list(live.hosts)
    others = [name for name in everybody if name != host]

    def others_serve(now: Live) -> str | None:
        return not_synced(now, others) if others else f"{host} would leave no node behind"

    return Stage(
        f"replace {values.CONTAINER} on {host}",
        (change,),
        before=Gate(
            f"all but {host} serve",
            others_serve,
            RETURN_TIMEOUT,
        ),
        after=Gate(
            f"{host} is Synced, {len(everybody)} members",
            lambda now: not_synced(now, everybody, len(everybody)),
            JOIN_TIMEOUT,
        ),
    )


def _settle(live: Live) -> Stage | None:
    """Wait for members on their way: a run that was cut off, a state transfer, or Docker that has just come back."""
    running = [host for host, node in nodes(live).items() if node.running]
    if not live.selected & set(running) or not_synced(live, running, len(running)) is None:
        return None
    gate = Gate(
        "the cluster has settled",
        lambda now: not_synced(now, running, len(running)),
        JOIN_TIMEOUT,
    )
    return Stage("wait", (), after=gate)

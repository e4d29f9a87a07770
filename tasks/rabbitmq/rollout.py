"""The next step for RabbitMQ, from its live state. Pure.

One path for every life of the cluster. A node joins only when it is in no cluster and holds no queue; nothing is ever
reset. A member whose host was replaced is forgotten before the bare host starts, so that its name is free. What runs
and differs is replaced one node at a time, when no quorum queue would lose its majority.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.docker import Container
from tasks.rabbitmq import values
from tasks.rabbitmq.checks import critical, not_ready
from tasks.rabbitmq.formats import FORMATS
from tasks.rabbitmq.members import COOKIE, Node, home, nodes, up
from tasks.rabbitmq.service.accounts import RabbitmqAccount, RabbitmqVhost
from tasks.rabbitmq.service.resources import (
    RabbitmqData,
    RabbitmqForgotten,
    RabbitmqMembership,
    RabbitmqNoUser,
    RabbitmqReplicas,
    RabbitmqUser,
)

START_TIMEOUT = 300.0
"""Seconds: after a stop of all, a node waits for those that stopped after it."""
REPLICAS_TIMEOUT = 120.0
_USERS = (RabbitmqUser, RabbitmqNoUser)
_ACCOUNTS = (RabbitmqVhost, RabbitmqAccount)
_INSIDE = (*_USERS, *_ACCOUNTS, RabbitmqMembership, RabbitmqReplicas)


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = [change for change in ready if isinstance(change.resource, Container)]
    around = [c for c in ready if c not in containers and not isinstance(c.resource, _INSIDE)]
    if around:
        return Stage("prepare", tuple(around))
    if starting := [change for change in containers if not change.disrupts]:
        return _start(live, starting)
    users = [change for change in ready if isinstance(change.resource, _USERS)]
    if users:
        # Before any gate: an unknown user may be why nodes cannot be looked at.
        return Stage("users", tuple(users))
    memberships = [change for change in ready if isinstance(change.resource, RabbitmqMembership)]
    if memberships:
        return _join(live, memberships)
    if replicas := [change for change in ready if isinstance(change.resource, RabbitmqReplicas)]:
        return _grow(replicas)
    if containers:
        return _settle(live, {change.host for change in containers}) or _roll(live, containers)
    if unsettled := _settle(live):
        return unsettled
    accounts = tuple(change for change in ready if isinstance(change.resource, _ACCOUNTS))
    return Stage("vhosts and users of applications", accounts) if accounts else None


def refuse_foreign(live: Live) -> None:
    """Another cookie beside data is the one of a live cluster, or a stale one: either way it is not overwritten."""
    found = nodes(live)
    for change in live.changes():
        if isinstance(change.resource, RabbitmqData):
            raise _newer_data(live, change)
        differing = {difference.attribute for difference in change.differences}
        if change.identity != COOKIE or change.action is not Action.UPDATE:
            continue
        if "digest" in differing and not found[change.host].empty:
            raise RefusedError(
                "the Erlang cookie beside RabbitMQ's data is not the one of rabbitmq.env; it was not overwritten",
                where=change.host,
                hint="put the live one into rabbitmq.env (kbz adopt rabbitmq --take-credentials finds it); or, where "
                "the other nodes hold the one of rabbitmq.env, copy it from there by hand",
            )
    _refuse_another_node(live, found)
    _refuse_lost(live, found)


def _refuse_another_node(live: Live, found: dict[str, Node]) -> None:
    """Beside the tables of a node of another name, RabbitMQ would begin with empty ones."""
    for node in found.values():
        other = node.held and node.name not in node.held and not node.answers
        if other and node.host in live.selected:
            raise RefusedError(
                f"the data is of {', '.join(node.held)}, and {node.name} is described: it would begin with nothing",
                where=node.host,
                hint=f"nothing was written; the owner decides whose data stays: move it away ({values.DATA}), or "
                "correct servers.tsv",
            )


def _refuse_lost(live: Live, found: dict[str, Node]) -> None:
    """Where no node runs, and most members of a cluster are proven to hold nothing, none is started."""
    if any(node.started or node.answers for node in found.values()):
        return
    bare = {node.name: node.host for node in found.values() if node.empty}
    for node in found.values():
        lost = [bare[name] for name in node.formed if name in bare]
        if node.host not in live.selected:
            continue
        if not node.empty and 2 * len(lost) >= len(node.formed) > 1:
            raise RefusedError(
                f"it holds data of a cluster of {len(node.formed)}, and {', '.join(lost)} hold none: what they held is "
                "lost or not mounted",
                where=node.host,
                hint="nothing was written; mount what belongs there. If it is gone, the owner decides about the rest: "
                "no queue has its majority",
            )


def _newer_data(live: Live, change: Change) -> RefusedError:
    said = live.hosts[change.host].attribute(change.identity, "newer")
    flags = [str(flag) for flag in said] if isinstance(said, (tuple, list)) else []
    shown = ", ".join(flags[:3]) + (" …" if len(flags) > 3 else "")
    newest = max(flags, key=FORMATS.age, default="")
    return RefusedError(
        change.reason
        or f"the data of RabbitMQ has the feature flags {shown}, which the frozen image does not know",
        where=change.host,
        hint=FORMATS.way_out(newest),
    )


def _start(live: Live, starting: list[Change]) -> Stage:
    """Start what has data together, because such nodes wait for each other; then what is bare."""
    found = nodes(live)
    data = [change for change in starting if not found[change.host].empty]
    chosen = data or starting
    if not data:
        _require_whole_birth(live, found)
        for change in chosen:
            if (member := _member_of_that_name(found, found[change.host])) is not None:
                return _forget(live, member, found[change.host])
    hosts = tuple(change.host for change in chosen)
    several = "together" if len(hosts) > 1 else hosts[0]

    def reason(now: Live) -> str | None:
        return next((why for host in hosts if (why := _not_answering(now, host))), None)

    return Stage(f"start {several}", tuple(chosen), after=Gate("nodes run", reason, START_TIMEOUT))


def _not_answering(live: Live, host: str) -> str | None:
    node = nodes(live).get(host)
    if node is None:
        return f"{host} does not answer"
    return None if node.well else f"{host}: {node.problem or 'RabbitMQ does not run yet'}"


def _require_whole_birth(live: Live, found: dict[str, Node]) -> None:
    """A bare node starts beside a running cluster, or with all members in sight; else it might be a second one."""
    if home(live) is not None:
        return
    where, everybody = "rabbitmq", f"a first start needs all {len(live.members)} members"
    missing = sorted({server.name for server in live.members} - set(found))
    stopped = sorted(node.host for node in found.values() if not node.empty and not node.answers)
    if missing:
        raise RefusedError(
            f"{everybody}; {', '.join(missing)} cannot be read",
            where=where,
            hint="bring it back: it may hold the data of an older cluster",
        )
    if stopped:
        raise RefusedError(
            f"{', '.join(stopped)} holds data and does not run; a bare node does not start before it",
            where=where,
            hint="kbz run rabbitmq --limit rabbitmq starts it",
        )
    if left := sorted(set(found) - live.selected):
        raise RefusedError(
            f"{everybody}; --limit leaves out {', '.join(left)}",
            where=where,
            hint="kbz run rabbitmq --limit rabbitmq",
        )


def _member_of_that_name(found: dict[str, Node], node: Node) -> Node | None:
    """Return a running node that takes this one for a member, though it is in no cluster by its own word."""
    others = (other for other in found.values() if other.well and other.host != node.host)
    return next((other for other in others if node.name in other.members), None)


def _forget(live: Live, member: Node, node: Node) -> Stage:
    access = _membership(live, member.host).access
    wish = Change(
        member.host,
        live.module,
        RabbitmqForgotten(access, node.name),
        Action.UPDATE,
        (Difference("member", True, False),),
    )

    def reason(now: Live) -> str | None:
        still = _member_of_that_name(nodes(now), node)
        return f"{still.host} still knows it" if still else None

    return Stage(
        f"forget {node.name}, whose host holds nothing any more",
        (wish,),
        after=Gate(f"{node.name} is no member", reason, REPLICAS_TIMEOUT),
    )


def _membership(live: Live, host: str) -> RabbitmqMembership:
    resources = live.hosts[host].resources
    return next(item for item in resources if isinstance(item, RabbitmqMembership))


def _join(live: Live, memberships: list[Change]) -> Stage:
    """Let the first node that is alone join the cluster; one at a time."""
    found, target = nodes(live), home(live)
    if target is None:
        raise RefusedError(
            "whose cluster it is cannot be told before every member answers",
            where="rabbitmq",
            hint="kbz health rabbitmq",
        )
    joining = [c for c in memberships if found[c.host].alone and c.host != target]
    if not joining:
        raise _refusal(live, memberships[0], found)
    change = joining[0]
    node, goal = found[change.host], found[target]
    if node.queues:
        raise RefusedError(
            f"{node.host} holds {node.queues} queues and is in no cluster; joining would delete them",
            where=node.host,
            hint="move them away first; kbz deletes no data",
        )
    if node.name in goal.members:
        return _forget(live, goal, node)
    assert isinstance(change.resource, RabbitmqMembership)
    inside = [n.host for n in found.values() if n.name in goal.members]
    return Stage(
        f"{node.host} joins {target}",
        (replace(change, resource=replace(change.resource, join=goal.name)),),
        before=Gate(
            f"{', '.join(inside)} can be joined",
            lambda now: _not_together(now, inside),
            START_TIMEOUT,
        ),
        after=Gate(
            f"{node.host} runs in the cluster",
            lambda now: _not_together(now, [*inside, node.host]),
            START_TIMEOUT,
        ),
    )


def _not_together(live: Live, hosts: list[str]) -> str | None:
    """Return why these nodes do not all run in one cluster, or None."""
    found = nodes(live)
    for host in hosts:
        if why := _not_answering(live, host):
            return why
        missing = [h for h in hosts if h in found and found[h].name not in found[host].running]
        if missing:
            return f"{host} does not see {', '.join(missing)} run"
    return None


def _refusal(live: Live, change: Change, found: dict[str, Node]) -> RefusedError:
    """Say why a cluster has other members than described, and no node of this run can mend it."""
    wanted = set(_membership(live, change.host).members)
    now = set(found[change.host].members)
    if foreign := sorted(now - wanted):
        what = f"{', '.join(foreign)} is a member and no server of the group"
        hint = "correct servers.tsv, or let the owner forget it: rabbitmqctl forget_cluster_node"
    else:
        what = f"{', '.join(sorted(wanted - now))} is no member, and this run cannot let it join"
        hint = "kbz run rabbitmq --limit rabbitmq"
    return RefusedError(what, where=change.host, hint=hint)


def _grow(replicas: list[Change]) -> Stage:
    def reason(now: Live) -> str | None:
        found = nodes(now)
        short = [c.host for c in replicas if c.host not in found or found[c.host].lacking]
        return f"{', '.join(short)} lacks replicas" if short else None

    gate = Gate("every quorum queue has all its replicas", reason, REPLICAS_TIMEOUT)
    return Stage("replicas of quorum queues", tuple(replicas), after=gate)


def _roll(live: Live, containers: list[Change]) -> Stage:
    """Replace one node; one that is down first, because it has nothing to lose."""
    found = nodes(live)
    change = min(containers, key=lambda c: (not found[c.host].down, c.host))
    host, reachable = change.host, list(live.hosts)
    others = [name for name in reachable if name != host]
    return Stage(
        f"replace {change.resource.name} on {host}",
        (change,),
        before=Gate(
            f"queues can do without {host}",
            lambda now: not_ready(now, others) or critical(now, host),
            START_TIMEOUT,
        ),
        after=Gate("the node is back", lambda now: not_ready(now, reachable), START_TIMEOUT),
    )


def release(live: Live, host: str) -> Stage | None:
    """Return the wait that a host needs before another module interrupts it: no queue may lose its majority."""
    if len(live.hosts) < 2 or host not in up(live):
        return None  # its queues have nothing to lose there: the others are the cluster
    # The node's own word that its queues have replicas elsewhere counts when those members say that they run.
    others = [name for name, node in nodes(live).items() if name != host and node.well]
    able = Gate(
        f"queues can do without {host}",
        lambda now: _not_together(now, others) or critical(now, host),
        START_TIMEOUT,
    )
    return Stage("wait", (), after=able)


def _settle(live: Live, replacing: Collection[str] = ()) -> Stage | None:
    """Wait for nodes on their way: a run that was cut off, or Docker that has just come back.

    One that is down and will be replaced is not waited for: its new container may be the repair.
    """
    started = [
        host
        for host, node in nodes(live).items()
        if node.started and not (node.down and host in replacing)
    ]
    if not live.selected & set(started) or not_ready(live, started) is None:
        return None
    settled = Gate("the cluster has settled", lambda now: not_ready(now, started), START_TIMEOUT)
    return Stage("wait", (), after=settled)

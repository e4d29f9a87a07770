"""The next step for Redis and Sentinel, from their live state. Pure.

One path for every life of the cluster. What is stopped is started together; what runs and differs is replaced one
host at a time, replicas first, the master last and after a hand-over. No node is ever promoted here: a first master is
born on virgin ground only, and later Sentinel decides (facts/04: a re-run once took a failover back).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.docker import Container
from keybuzz.model.inventory.server import Server
from tasks.redis import values
from tasks.redis.checks import not_ready
from tasks.redis.formats import FORMATS
from tasks.redis.master.truth import decided, master_host
from tasks.redis.members import CONTAINERS, RUNTIME, able, empty, masters, members, unborn
from tasks.redis.service.resources import (
    ANOTHER,
    OURS,
    RedisData,
    RedisMaster,
    RedisPassword,
    RedisRuntime,
    RedisSettings,
    SentinelMonitor,
    SentinelRuntime,
)

START_TIMEOUT = 120.0
"""Seconds: a first copy of the data, Sentinels that find each other, and a failover in between."""
HAND_OVER_TIMEOUT = 2.0 * values.FAILOVER_TIMEOUT
_REDIS, _SENTINEL = CONTAINERS
_LIVE = (RedisSettings, RedisPassword, SentinelMonitor)


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = [change for change in ready if isinstance(change.resource, Container)]
    inside = [change for change in ready if isinstance(change.resource, _LIVE)]
    around = [change for change in ready if change not in containers and change not in inside]
    if around:
        return Stage("prepare", tuple(_with_master(live, change) for change in around))
    starting = [change for change in containers if not change.disrupts]
    joining = [] if _is_birth(live) else [c for c in starting if empty(live, c.host)]
    if known := [change for change in starting if change not in joining]:
        return _start(live, known)
    if inside:
        # Before any gate: a wrong setting may be why the cluster is not well.
        changes = tuple(_with_master(live, change) for change in inside)
        return Stage("settings of the running daemons", changes)
    if joining:
        return _join(live, joining)
    if containers:
        return _settle(live, {change.host for change in containers}) or _roll(live, containers)
    return _settle(live)


def _first_word(text: str) -> str:
    return text.strip().partition(" ")[0]


def refuse_foreign(live: Live) -> None:
    """A cluster with another password or newer data is never touched: nothing about it could be told or undone."""
    for host, member in members(live).items():
        if member.redis.denied and host in live.selected:
            raise RefusedError(
                f"Redis does not take the password of redis.env ({_first_word(member.redis.denied)})",
                where=host,
                hint="nothing was written; kbz adopt redis --take-credentials finds the live one for redis.env",
            )
    for change in live.changes():
        taken = live.hosts[change.host].attribute(change.identity, "taken")
        if isinstance(taken, (tuple, list)) and ANOTHER in taken and OURS in taken:
            # Its users would be shut out, and kbz cannot tell who they are.
            raise RefusedError(
                "Redis takes another password beside the one of redis.env",
                where=change.host,
                hint="a rotation was cut off, or keeps the old one: kbz secrets rotate redis ends it",
            )
        if isinstance(change.resource, RedisData):
            found = live.hosts[change.host].attribute(change.identity, "newest")
            raise RefusedError(
                change.reason
                or f"the data is RDB {found}; {change.resource.newest} is the newest that the frozen image loads",
                where=change.host,
                hint=FORMATS.way_out(str(found)),
            )


def _with_master(live: Live, change: Change) -> Change:
    """Return the change with the master named, where it makes something that must know the master."""
    if change.action is not Action.CREATE:
        return change
    match change.resource:
        case RedisRuntime() as runtime:
            master = decided(live, f"{change.host} needs a runtime file")
            own = str(live.hosts[change.host].server.address)
            follows = "" if master == own else master
            return _decided(change, replace(runtime, follows=follows), "follows", follows)
        case SentinelRuntime() as runtime:
            master = decided(live, f"the Sentinel of {change.host} needs a runtime file")
            return _decided(change, replace(runtime, monitors=master), "monitors", master)
        case SentinelMonitor() as monitor:
            master = decided(live, f"the Sentinel of {change.host} knows no {monitor.name}")
            return replace(change, resource=replace(monitor, address=master))
    return change


def _decided(
    change: Change, resource: RedisRuntime | SentinelRuntime, attribute: str, value: str
) -> Change:
    differences = (*change.differences, Difference(attribute, None, value))
    return replace(change, resource=resource, differences=differences)


def _start(live: Live, starting: list[Change]) -> Stage:
    hosts = [change.host for change in starting]
    demoted = [
        _demotion(live, change.host, decided(live, f"{change.host} would start as master"))
        for change in starting
        if change.identity == _REDIS and not live.hosts[change.host].attribute(RUNTIME, "follows")
    ]
    running = _running(live)
    return Stage(
        "start together" if len(set(hosts)) > 1 else "start",
        (*(change for change in demoted if change is not None), *starting),
        after=Gate(
            "one master, all others replicate, Sentinels agree",
            lambda now: not_ready(now, [*hosts, *running]),
            START_TIMEOUT,
        ),
    )


def _is_birth(live: Live) -> bool:
    """Nothing ever ran, or a first start was cut off before its master ran: no Sentinel has seen a replica."""
    if unborn(live):
        return True
    leading = master_host(live)
    asked = [m.sentinel for m in members(live).values() if m.sentinel.answers]
    unseen = bool(asked) and not any(sentinel.replicas for sentinel in asked)
    return leading in live.hosts and empty(live, str(leading)) and unseen


def _join(live: Live, joining: list[Change]) -> Stage:
    """A host that holds nothing is a new member: it copies from a cluster that is well, and never leads it.

    The wait is a stage of its own: a failover that it waits for changes whom the new member follows.
    """
    running = _running(live)
    well = Gate(
        f"{', '.join(running) or 'the others'} are well, to be joined",
        lambda now: not_ready(now, running),
        START_TIMEOUT,
    )
    if well.reason(live) is not None:
        return Stage("wait", (), after=well)
    return replace(_start(live, joining), before=well)


def _demotion(live: Live, host: str, master: str) -> Change | None:
    """Return the change that lets an old master start as a replica: else there were two until Sentinel notices."""
    if master == str(live.hosts[host].server.address):
        return None
    resources = live.hosts[host].resources
    runtime = next(item for item in resources if isinstance(item, RedisRuntime))
    return Change(
        host,
        live.module,
        replace(runtime, follows=master),
        Action.UPDATE,
        (Difference("follows", "", master),),
    )


def _roll(live: Live, containers: list[Change]) -> Stage:
    """Replace what runs on one host: a replica's if any is left, else the master's after a hand-over.

    A broken one comes first, because it has nothing to lose.
    """
    leading, broken = master_host(live), _broken(live)
    hosts = [change.host for change in containers]
    host = min(hosts, key=lambda host: (host == leading, host not in broken))
    mine = tuple(change for change in containers if change.host == host)
    if host == leading and len(live.hosts) > 1 and _REDIS in {c.identity for c in mine}:
        return hand_over(live, host)
    reachable = list(live.hosts)
    rest = [name for name in reachable if name != host]
    return Stage(
        f"replace {' and '.join(change.resource.name for change in mine)} on {host}",
        mine,
        # The others must be well; this one may be what the change mends.
        before=Gate(f"all but {host} are well", lambda now: not_ready(now, rest), START_TIMEOUT),
        after=Gate("the member is back", lambda now: not_ready(now, reachable), HAND_OVER_TIMEOUT),
    )


def release(live: Live, host: str) -> Stage | None:
    """Return the hand-over that the master's host needs before another module interrupts it."""
    return hand_over(live, host) if host in masters(live) and len(live.hosts) > 1 else None


def hand_over(live: Live, host: str, to: Server | None = None) -> Stage:
    """Return the stage after which this host is master no more, but another, or the one that is named.

    Sentinel knows nothing of a host in maintenance: where it could choose one, another is named.
    """
    to = to or _awake(live, able(live) - {host})
    resources = live.hosts[host].resources
    monitor = next(item for item in resources if isinstance(item, SentinelMonitor))
    heir = str(to.address) if to is not None else ""
    wish = Change(
        host,
        live.module,
        RedisMaster(monitor.access, monitor.watch.master, host, heir),
        Action.UPDATE,
        (Difference("leads", True, False),),
    )
    everybody = list(live.hosts)

    def reason(now: Live) -> str | None:
        found = masters(now)
        if host in found:
            return "no new master yet"
        if to is not None and found and to.name not in found:
            return f"{', '.join(found)} is master instead of {to.name}"
        return not_ready(now, everybody)

    return Stage(
        f"hand over from {host}{f' to {to.name}' if to is not None else ''}",
        (wish,),
        heirs=(to.name,) if to is not None else tuple(sorted(able(live) - {host})),
        before=Gate(
            "the cluster is whole", lambda now: not_ready(now, everybody), HAND_OVER_TIMEOUT
        ),
        after=Gate(
            f"{to.name if to is not None else 'another member'} is master",
            reason,
            HAND_OVER_TIMEOUT,
        ),
    )


def _awake(live: Live, heirs: frozenset[str]) -> Server | None:
    """Return the one to name, which has the most of the master's data; None where Sentinel may choose any."""
    awake = set(live.awake(heirs))
    if awake == heirs:
        return None
    found = members(live)
    name = max(awake, key=lambda host: (found[host].redis.offset, host))
    return next(server for server in live.members if server.name == name)


def _running(live: Live) -> list[str]:
    """Return the hosts on which both containers run."""
    return [
        host
        for host, view in live.hosts.items()
        if view.attribute(_REDIS, "running") and view.attribute(_SENTINEL, "running")
    ]


def _broken(live: Live) -> set[str]:
    """Return the hosts with a daemon that says nothing."""
    return {
        host
        for host, member in members(live).items()
        if not member.redis.role or not member.sentinel.answers
    }


def _settle(live: Live, replacing: Collection[str] = ()) -> Stage | None:
    """Wait for members on their way: a run that was cut off, a failover, or Docker that has just come back.

    One that is broken and will be replaced is not waited for: its new container may be what mends it.
    """
    mending = _broken(live) & set(replacing)
    started = [host for host in _running(live) if host not in mending]
    if not live.selected & set(started) or not_ready(live, started) is None:
        return None
    settled = Gate("the cluster has settled", lambda now: not_ready(now, started), START_TIMEOUT)
    return Stage("wait", (), after=settled)

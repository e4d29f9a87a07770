"""The stages of the rollout: a first start, a start, a node forgotten, a restart behind a snapshot. Pure."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.system import SystemdUnit
from tasks.k3s import values
from tasks.k3s.members import masters, places, up, writer
from tasks.k3s.ready import not_ready, still_ready
from tasks.k3s.service.resources import K3sForgotten, K3sSnapshot, K3sStart

BIRTH_TIMEOUT = 300.0
"""Seconds for the first server to make its data and to serve."""
JOIN_TIMEOUT = 300.0
"""Seconds for a node to be Ready, its images pulled (facts/09: 180 s where they are there)."""
SILENT_TIMEOUT = 120.0
"""Seconds after which the cluster has noticed that a node is gone."""
FIRST = "cluster-init"


def _unit(live: Live, host: str) -> SystemdUnit:
    return next(r for r in live.hosts[host].resources if isinstance(r, SystemdUnit))


def _unit_change(live: Live, host: str) -> Change | None:
    return next((c for c in live.hosts[host].changes if isinstance(c.resource, SystemdUnit)), None)


def _started_by(live: Live, host: str, by: str) -> tuple[Change, ...]:
    """Return the step that lets K3s start in another way than now; nothing when it already would."""
    now = places(live)[host].by
    if now == by:
        return ()
    resource = next(r for r in live.hosts[host].resources if isinstance(r, K3sStart))
    wish = replace(resource, by=by)
    return (Change(host, live.module, wish, Action.UPDATE, (Difference("by", now, by),)),)


def birth(live: Live, first: str) -> Stage:
    """Return the one start with cluster-init; an earlier one that is under way is waited for."""
    place, change = places(live)[first], _unit_change(live, first)
    gate = Gate(f"{first} is a cluster of one", lambda now: not_ready(now, [first]), BIRTH_TIMEOUT)
    if place.at_work and place.by == FIRST:
        return Stage("wait", (), after=gate)
    if change is None:
        raise RefusedError(
            "K3s runs there, holds no data, and is the first of no cluster",
            where=first,
            hint=f"{proposed('systemctl', 'stop', values.unit(live.hosts[first].server))} there, then run again",
        )
    steps = (*_started_by(live, first, FIRST), change)
    return Stage(f"first start of {first}", steps, after=gate)


def start(live: Live, change: Change, by: str | None = None) -> tuple[Change, ...]:
    """Return a start of one node, which joins where a master serves: its usual one, or another while that is away."""
    return (
        *_started_by(live, change.host, _joins(live, change.host) if by is None else by),
        change,
    )


def _joins(live: Live, host: str) -> str:
    servers = {server.name: server for server in live.members}
    usual = next(name for name in masters(live) if name != host)
    serving = sorted(up(live) - {host})
    if usual in serving or not serving:
        return ""
    return values.url(servers[serving[0]])


def snapshot(live: Live, host: str, name: str) -> tuple[Change, ...]:
    """Return the snapshot of etcd that comes first."""
    wish = (Difference("taken", False, True),)
    return (Change(host, live.module, K3sSnapshot(name), Action.UPDATE, wish),)


def forget(live: Live, hosts: list[str]) -> Stage:
    """Let the cluster forget nodes whose hosts hold nothing any more, so that their names are free."""
    teller = writer(live)
    assert teller is not None, "only a ready API is told"
    gone = [
        Change(
            teller,
            live.module,
            K3sForgotten(host),
            Action.UPDATE,
            (Difference("known", True, False),),
        )
        for host in hosts
    ]
    master = any(places(live)[host].master for host in hosts)
    before = snapshot(live, teller, f"kbz-without-{hosts[0]}") if master else ()
    return Stage(
        f"forget {', '.join(hosts)}, whose host{'s hold' if len(hosts) > 1 else ' holds'} nothing any more",
        (*before, *gone),
        before=Gate(
            "the cluster sees that it is gone", lambda now: still_ready(now, hosts), SILENT_TIMEOUT
        ),
    )


def roll(live: Live, change: Change) -> Stage:
    """Restart one node whose configuration has changed, when all others serve; etcd is kept first."""
    host = change.host
    well = not_ready(live, [host]) is None
    others = [name for name in live.hosts if name != host and places(live)[name].at_work and well]
    resource = change.resource
    assert isinstance(resource, SystemdUnit)
    first: tuple[Change, ...] = ()
    if places(live)[host].master:
        first = snapshot(live, host, f"kbz-before-{_mark(resource.text)}")
    return Stage(
        f"restart {resource.unit} on {host}",
        (*first, change),
        before=Gate(f"all but {host} are Ready", lambda now: not_ready(now, others), JOIN_TIMEOUT),
        after=Gate(f"{host} is Ready again", lambda now: not_ready(now, [host]), JOIN_TIMEOUT),
    )


def _mark(text: str) -> str:
    return text.partition("KBZ_CONFIGURATION=")[2].partition("\n")[0]

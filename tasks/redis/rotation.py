"""A new password for a live Redis: beside the old one first, the old one dropped last. Pure.

Redis takes both passwords from the first stage to the last, so that replicas, Sentinels, HAProxy and its watcher can
change over one after the other, and applications when they are told. No open connection is interrupted.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.files import File
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.redis import values
from tasks.redis.checks import not_ready
from tasks.redis.desired import REDIS_CONF
from tasks.redis.members import masters
from tasks.redis.rollout import START_TIMEOUT
from tasks.redis.service.readings import RedisQuery
from tasks.redis.service.resources import RedisPassword, RedisSettings, SentinelMonitor

LOGIN = "a login with the new password"
"""Name of the reading; the stages look at it too."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: both are taken, all use the new one; and without a former one, it is taken alone."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    passwords = _of(ready, RedisPassword)
    settings, sentinels = _of(ready, RedisSettings), _of(ready, SentinelMonitor)
    files = tuple(
        c for c in ready if isinstance(c.resource, File) and c.resource.path == REDIS_CONF
    )
    for change in ready:
        if change not in (*passwords, *settings, *sentinels, *files):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes passwords only",
                where=change.host,
                hint="kbz run redis first",
            )
    if passwords and _keeps_old(live):
        return Stage("Redis takes the new password too", passwords, after=_taken(live))
    if settings:
        return Stage("replicas use it for the master", settings, _taken(live), _whole(live))
    if sentinels:
        change = min(sentinels, key=lambda found: found.host)
        name = f"the Sentinel of {change.host} uses it"
        return Stage(name, (change,), _taken(live), _whole(live))
    if files:
        return Stage("it stands in redis.conf", files, _taken(live), _whole(live))
    if passwords:
        change = min(passwords, key=lambda found: (found.host in masters(live), found.host))
        name = f"{change.host} takes the old password no more"
        return Stage(name, (change,), _taken(live), _whole(live))
    return None if _whole(live).reason(live) is None else Stage("wait", (), after=_whole(live))


def _of(changes: list[Change], kind: type) -> tuple[Change, ...]:
    return tuple(change for change in changes if isinstance(change.resource, kind))


def _keeps_old(live: Live) -> bool:
    resources = (item for view in live.hosts.values() for item in view.resources)
    return any(isinstance(item, RedisPassword) and item.access.former for item in resources)


def _whole(live: Live) -> Gate:
    everybody = [server.name for server in live.members]
    return Gate(
        "one master, all replicate, Sentinels agree",
        lambda now: not_ready(now, everybody),
        START_TIMEOUT,
    )


def _taken(live: Live) -> Gate:
    everybody = [server.name for server in live.members]

    def reason(now: Live) -> str | None:
        for host in everybody:
            if host not in now.hosts:
                return f"{host} does not answer"
            if why := refusal(now.hosts[host].answer(LOGIN)):
                return f"{host}: {why}"
        return None

    return Gate("every member takes the new password", reason, START_TIMEOUT)


def _login(site: Site, server: Server) -> tuple[RedisQuery, ...]:
    reached = values.access(site, server)
    return (RedisQuery(LOGIN, reached.address, reached.port, (("ROLE",),), reached.password),)


ROTATIONS = (
    Rotation(
        "redis",
        "REDIS_PASSWORD",
        next_stage,
        _login,
        followers=("redis-proxy",),
        keeps_old=True,
    ),
)

"""A new secret key for a user of an application, on a cluster that is in use. Pure.

MinIO keeps one secret key for a user, and asks for it with every request: the application needs the new one then.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.model.services.minio import MinioAccess, MinioLogin, MinioUser
from keybuzz.site.credentials.accounts import MINIO
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.minio import applications, values
from tasks.minio.rollout import START_TIMEOUT

LOGIN = "a request with the new secret key"
"""Name of the reading; the stages look at it too."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: the user takes the new key, then every node takes its signature."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    for change in ready:
        if not isinstance(change.resource, MinioUser):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes keys only",
                where=change.host,
                hint="kbz run minio first",
            )
    if ready:
        return Stage("the cluster takes the new secret key", tuple(ready), after=_in(live))
    return None if _in(live).reason(live) is None else Stage("wait", (), after=_in(live))


def _in(live: Live) -> Gate:
    everybody = [server.name for server in live.members]

    def reason(now: Live) -> str | None:
        for host in everybody:
            if host in now.hosts and (why := refusal(now.hosts[host].answer(LOGIN))):
                return f"{host}: {why}"
        return None

    return Gate("every node takes the new signature", reason, START_TIMEOUT)


def account_rotations(site: Site) -> tuple[Rotation, ...]:
    """Return a rotation for the user of each application that has buckets."""
    return tuple(
        Rotation(
            MINIO.rotation(item.store_user),
            MINIO.credential(item.store_user).name,
            next_stage,
            _login(item.store_user),
        )
        for item in site.applications.items
        if item.buckets
    )


def _login(user: str) -> Callable[[Site, Server], tuple[MinioLogin, ...]]:
    def logins(site: Site, server: Server) -> tuple[MinioLogin, ...]:
        port = values.access(site, server).port
        own = MinioAccess(str(server.address), user, applications.password(site, user), port)
        return (MinioLogin(LOGIN, own),)

    return logins

"""A new secret key for a user of an application, or for root, on a cluster that is in use. Pure.

MinIO keeps one secret key for a user, and asks for it with every request: the application needs the new one then.
Nodes prove themselves to each other with root's: one with another key is no member, so that all three take it at once.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.minio import applications, values
from tasks.minio.members import nodes
from tasks.minio.ready import not_whole
from tasks.minio.rollout import HEAL_TIMEOUT, START_TIMEOUT
from tasks.minio.service.offer import ACCOUNTS, Bucket
from tasks.minio.service.resources import MinioAccess, MinioLogin, MinioUser

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


def root_stage(live: Live) -> Stage | None:
    """Return the next stage: all nodes are replaced together, because nodes with different keys are no cluster."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    for change in ready:
        if not _key_alone(change):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes keys only",
                where=change.host,
                hint="kbz run minio first",
            )
    everybody = [server.name for server in live.members]
    whole = Gate("all three serve", lambda now: not_whole(now, everybody), HEAL_TIMEOUT)
    if ready:
        begun = len(ready) < len(everybody)
        return Stage(
            "all nodes take the new root password together",
            tuple(ready),
            before=None if begun else _all_serve(everybody),
            after=whole,
            interrupts=live.module,
        )
    return None if whole.reason(live) is None else Stage("wait", (), after=whole)


def _key_alone(change: Change) -> bool:
    """Return whether it is a container that differs where its key is, or that a rotation took away and did not make."""
    differing = {difference.attribute for difference in change.differences}
    made = change.action is Action.CREATE or differing == {"environment"}
    return isinstance(change.resource, Container) and made


def _all_serve(everybody: list[str]) -> Gate:
    """By the nodes' own health: none of them lets the new key in yet."""

    def reason(now: Live) -> str | None:
        found = nodes(now)
        silent = [host for host in everybody if host not in found or not found[host].serves]
        return f"{', '.join(silent)} without the write quorum" if silent else None

    return Gate("all three serve, with the old root password", reason, START_TIMEOUT)


def _root_login(site: Site, server: Server) -> tuple[MinioLogin, ...]:
    return (MinioLogin(LOGIN, values.access(site, server)),)


ROTATIONS = (
    Rotation(
        "minio-root",
        "MINIO_ROOT_PASSWORD",
        root_stage,
        _root_login,
        followers=("minio-client",),
        outage="all three nodes of MinIO are replaced at once: no request is served until they have started",
    ),
)


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
        Rotation(ACCOUNTS.rotation(user), ACCOUNTS.credential(user).name, next_stage, _login(user))
        for user in dict.fromkeys(item.user for _, item in site.applications.parts(Bucket))
    )


def _login(user: str) -> Callable[[Site, Server], tuple[MinioLogin, ...]]:
    def logins(site: Site, server: Server) -> tuple[MinioLogin, ...]:
        port = values.access(site, server).port
        own = MinioAccess(str(server.address), user, applications.password(site, user), port)
        return (MinioLogin(LOGIN, own),)

    return logins

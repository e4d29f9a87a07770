"""New passwords for users of a live MariaDB: beside the old one first, the old one dropped last. Pure.

An account with two ways to log in (`IDENTIFIED VIA … OR …`) takes both passwords, on all nodes at once. ProxySQL
changes over in between, host by host. The monitor's password stands in the containers' environment too, so that for
it the nodes are replaced one by one, as a run does it.
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
from tasks.galera import applications, rollout, values
from tasks.galera.ready import not_synced
from tasks.galera.service.offer import ACCOUNTS, MariadbDatabase
from tasks.galera.service.readings import MysqlQuery
from tasks.galera.service.resources import MysqlUser

LOGIN = "a login with the new password"
"""Name of the reading; the stages look at it too."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: both are taken, then containers, and without a former one it is taken alone."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    users = tuple(change for change in ready if isinstance(change.resource, MysqlUser))
    containers = [change for change in ready if _environment(change)]
    for change in ready:
        if change not in users and change not in containers:
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes passwords only",
                where=change.host,
                hint="kbz run galera first",
            )
    if users and _keeps_old(users):
        name = "MariaDB takes the new password too"
        return Stage(name, users, before=_served(live), after=_taken(live))
    if containers:
        return rollout.next_stage(live)
    if users:
        name = "MariaDB takes the old password no more"
        return Stage(name, users, before=_taken(live), after=_taken(live))
    return None if _taken(live).reason(live) is None else Stage("wait", (), after=_taken(live))


def _environment(change: Change) -> bool:
    """Return whether it is a container that differs in its environment, where passwords are, and in nothing else."""
    differing = {difference.attribute for difference in change.differences}
    return isinstance(change.resource, Container) and differing == {"environment"}


def _keeps_old(users: tuple[Change, ...]) -> bool:
    return any(isinstance(c.resource, MysqlUser) and c.resource.former for c in users)


def _served(live: Live) -> Gate:
    everybody = [server.name for server in live.members]
    return Gate(
        "all nodes are Synced",
        lambda now: not_synced(now, everybody, len(everybody)),
        rollout.RETURN_TIMEOUT,
    )


def _taken(live: Live) -> Gate:
    everybody = [server.name for server in live.members]

    def reason(now: Live) -> str | None:
        for host in everybody:
            if host in now.hosts and (why := refusal(now.hosts[host].answer(LOGIN))):
                return f"{host}: {why}"
        return not_synced(now, everybody, len(everybody))

    return Gate("every node takes the new password", reason, rollout.RETURN_TIMEOUT)


def _login(user: str, password: str) -> Callable[[Site, Server], tuple[MysqlQuery, ...]]:
    """Return a login to each node, by names of the store; without a user, as the administrator."""

    def logins(site: Site, server: Server) -> tuple[MysqlQuery, ...]:
        reached = values.access(site, server)
        name = site.secret(user).reveal() if user else reached.user
        secret = values.password(site, password)
        return (MysqlQuery(LOGIN, reached.address, reached.port, name, secret),)

    return logins


_APPLICATION = _login("MARIADB_APP_USER", "MARIADB_APP_PASSWORD")
_MONITOR = _login("MARIADB_MONITOR_USER", "MARIADB_MONITOR_PASSWORD")

ROTATIONS = (
    Rotation(
        "mariadb-app",
        "MARIADB_APP_PASSWORD",
        next_stage,
        _APPLICATION,
        followers=("proxysql",),
        keeps_old=True,
    ),
    Rotation(
        "mariadb-monitor",
        "MARIADB_MONITOR_PASSWORD",
        next_stage,
        _MONITOR,
        followers=("proxysql",),
        keeps_old=True,
    ),
    Rotation(
        "mariadb-root",
        "MARIADB_ROOT_PASSWORD",
        next_stage,
        _login("", "MARIADB_ROOT_PASSWORD"),
        refused="kbz itself comes in with it, and how the image's accounts of root are spread has not been tried",
    ),
    Rotation(
        "mariadb-sst",
        "MARIADB_SST_PASSWORD",
        next_stage,
        # The image makes its account for the node itself only, and kbz takes it away: no login from a host proves it.
        lambda site, server: (),
        refused="no login uses it: nodes copy by rsync, which asks for none, and the image only wants it set",
    ),
)


def account_rotations(site: Site) -> tuple[Rotation, ...]:
    """Return a rotation for each user; ProxySQL changes over in between."""
    users = dict.fromkeys(item.user for _, item in site.applications.parts(MariadbDatabase))
    return tuple(
        Rotation(
            ACCOUNTS.rotation(user),
            ACCOUNTS.credential(user).name,
            next_stage,
            _account_login(user),
            followers=("proxysql",),
            keeps_old=True,
        )
        for user in users
    )


def _account_login(user: str) -> Callable[[Site, Server], tuple[MysqlQuery, ...]]:
    def logins(site: Site, server: Server) -> tuple[MysqlQuery, ...]:
        reached = values.access(site, server)
        return (
            MysqlQuery(
                LOGIN, reached.address, reached.port, user, applications.password(site, user)
            ),
        )

    return logins

"""A new password for ProxySQL's admin port, host by host. Pure. No application comes in there."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.galera.service.readings import MysqlQuery
from tasks.proxysql import rollout, values
from tasks.proxysql.service.resources import ProxysqlVariables


def next_stage(live: Live) -> Stage | None:
    """Return the rollout's next stage, when only the file and the variables of the admin port differ."""
    for change in live.changes():
        file = isinstance(change.resource, File) and change.resource.path == values.CNF
        variables = (
            isinstance(change.resource, ProxysqlVariables)
            and change.resource.group == "ADMIN VARIABLES"
        )
        if change.action is not Action.LATER and not file and not variables:
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes passwords only",
                where=change.host,
                hint="kbz run proxysql first",
            )
    return rollout.next_stage(live)


def _login(site: Site, server: Server) -> tuple[MysqlQuery, ...]:
    del server  # each host asks its own admin port
    admin = values.access(site)
    name = "a login with the new password"
    return (MysqlQuery(name, admin.address, admin.port, admin.user, admin.password),)


ROTATIONS = (
    Rotation(
        "proxysql-admin",
        "PROXYSQL_ADMIN_PASSWORD",
        next_stage,
        _login,
        ends=("proxysql.default-login",),
    ),
)

"""A new password for RabbitMQ's user, on a cluster that is in use. Pure.

RabbitMQ keeps one password for a user, and asks for it when a connection opens only: who is connected stays. The Erlang
cookie is not rotated: nodes with different cookies are no cluster, so a new one needs a stop of all.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.rabbitmq import applications, values
from tasks.rabbitmq.checks import not_ready
from tasks.rabbitmq.members import nodes
from tasks.rabbitmq.rollout import START_TIMEOUT
from tasks.rabbitmq.service.accounts import RabbitmqAccount
from tasks.rabbitmq.service.offer import ACCOUNTS, Vhost
from tasks.rabbitmq.service.readings import AmqpLogin
from tasks.rabbitmq.service.resources import RabbitmqUser

LOGIN = "a login with the new password"
"""Name of the reading; the stages look at it too."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: the user takes the new password, then every node lets it in."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    for change in ready:
        if not isinstance(change.resource, RabbitmqUser | RabbitmqAccount):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes passwords only",
                where=change.host,
                hint="kbz run rabbitmq first",
            )
    if ready:
        name = "the cluster takes the new password"
        return Stage(name, tuple(ready), before=_together(live), after=_in(live))
    return None if _in(live).reason(live) is None else Stage("wait", (), after=_in(live))


def _together(live: Live) -> Gate:
    """Not that all is well: with the new password no login succeeds yet to see that."""
    everybody = [server.name for server in live.members]

    def reason(now: Live) -> str | None:
        found = nodes(now)
        away = [host for host in everybody if host not in found or not found[host].well]
        return f"{', '.join(away)} does not run in its cluster" if away else None

    return Gate("all nodes run", reason, START_TIMEOUT)


def _in(live: Live) -> Gate:
    everybody = [server.name for server in live.members]

    def reason(now: Live) -> str | None:
        for host in everybody:
            if host in now.hosts and (why := refusal(now.hosts[host].answer(LOGIN))):
                return f"{host}: {why}"
        return not_ready(now, everybody)

    return Gate("every node lets the new password in", reason, START_TIMEOUT)


def _login(site: Site, server: Server) -> tuple[AmqpLogin, ...]:
    reached = values.access(site, server)
    return (AmqpLogin(LOGIN, reached.address, reached.user, reached.password, values.AMQP_PORT),)


ROTATIONS = (
    Rotation("rabbitmq", "RABBITMQ_PASSWORD", next_stage, _login, followers=("rabbitmq-proxy",)),
    Rotation(
        "rabbitmq-cookie",
        "RABBITMQ_ERLANG_COOKIE",
        next_stage,
        _login,
        refused="nodes with different Erlang cookies are no cluster, so that a new one needs a stop of all nodes",
    ),
)


def account_rotations(site: Site) -> tuple[Rotation, ...]:
    """Return a rotation for each user. RabbitMQ keeps one password for a user."""
    vhosts = {item.user: item.name for _, item in site.applications.parts(Vhost)}
    return tuple(
        Rotation(
            ACCOUNTS.rotation(user),
            ACCOUNTS.credential(user).name,
            next_stage,
            _account_login(user, vhost),
        )
        for user, vhost in vhosts.items()
    )


def _account_login(user: str, vhost: str) -> Callable[[Site, Server], tuple[AmqpLogin, ...]]:
    def logins(site: Site, server: Server) -> tuple[AmqpLogin, ...]:
        address = str(server.address)
        return (
            AmqpLogin(
                LOGIN, address, user, applications.password(site, user), values.AMQP_PORT, vhost
            ),
        )

    return logins

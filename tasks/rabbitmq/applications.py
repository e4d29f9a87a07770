"""What applications have in RabbitMQ: vhosts and users; and what no file describes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.rabbitmq import values
from tasks.rabbitmq.service.accounts import RabbitmqAccount, RabbitmqNames, RabbitmqVhost
from tasks.rabbitmq.service.offer import ACCOUNTS, Vhost
from tasks.rabbitmq.service.resources import RabbitmqAccess, RabbitmqNoUser

_READING = "rabbitmq.inside"
_OWN = frozenset({"vhost:/", "user:guest"})
"""Of RabbitMQ itself; the rollout deletes `guest`, and reports it."""


def resources(site: Site, access: RabbitmqAccess) -> tuple[Resource, ...]:
    """Return vhosts first, then the users that may do everything in them."""
    found = tuple(site.applications.parts(Vhost))
    places: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for application, item in found:
        places.setdefault(item.user, []).append(item.name)
        owners[item.user] = application.name
    vhosts = tuple(
        RabbitmqVhost(access, item.name, application.name) for application, item in found
    )
    users = tuple(
        RabbitmqAccount(access, user, password(site, user), tuple(names), owners[user])
        for user, names in places.items()
    )
    return (*vhosts, *users)


def password(site: Site, user: str) -> Secret:
    """Return the password of an application's user; InputError for one that RabbitMQ could not be told."""
    found = site.secret(ACCOUNTS.credential(user).name)
    if not values.sendable(found):
        raise InputError(
            f"{found.name} holds a control character or a line break",
            where="rabbitmq.env",
            hint="choose another one",
        )
    return found


def _ask(site: Site, server: Server) -> tuple[RabbitmqNames, ...]:
    return (RabbitmqNames(_READING, values.access(site, server)),)


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    if answer is None or not answer.known:
        return None
    users, vhosts = answer.value["users"], answer.value["vhosts"]
    things = {f"user:{name}": _user(tags) for name, tags in users.items()}
    things |= {f"vhost:{name}": "vhost" for name in vhosts}
    things |= answer.value["rules"]
    known = {*_OWN, f"user:{site.secret('RABBITMQ_USER').reveal()}"}
    for _, item in site.applications.parts(Vhost):
        known |= {f"user:{item.user}", f"vhost:{item.name}"}
    return {name: what for name, what in things.items() if name not in known}


def _user(tags: list[str]) -> str:
    return f"user of RabbitMQ, {', '.join(tags)}" if tags else "user of RabbitMQ"


def _removed(site: Site, server: Server, name: str) -> RabbitmqNoUser:
    return RabbitmqNoUser(values.access(site, server), name)


_BY_HAND = ("policy", "operator-policy", "limit", "tracing")
INSIDE = Inside(
    ("user", "vhost", *_BY_HAND),
    _ask,
    _undescribed,
    account="user",
    removed=_removed,
    by_hand=frozenset(_BY_HAND),
)

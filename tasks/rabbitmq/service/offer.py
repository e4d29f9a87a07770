"""What an application can have in RabbitMQ: virtual hosts with their users. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Part
from keybuzz.site.applications.names import SQL, NameKind
from keybuzz.site.applications.offer import SHARED, Offer
from keybuzz.site.applications.reader import PartReader
from keybuzz.site.applications.variables import Account, Endpoint, Form, Variable, names_of
from keybuzz.site.credentials.accounts import AccountKind
from keybuzz.site.files.yaml_tree import Scalar, Tree

KEY = "rabbitmq"
PORT = 5672
"""Of the endpoint."""
ACCOUNTS = AccountKind(KEY, "rabbitmq.env", "RABBITMQ_USER_", ("rabbitmq",))
_VHOST = NameKind("vhost", re.compile(r"[a-z][a-z0-9_-]{0,60}"), "small letters, digits, - and _")
_USER = NameKind("RabbitMQ user", *SQL)
_FORM = Form("RABBITMQ", "VHOST", "AMQP_URL", "amqp")


@dataclass(frozen=True, slots=True)
class Vhost(Part):
    """A virtual host of RabbitMQ, and the user who may do everything in it."""


def _read(reader: PartReader, tree: Tree, owner: str) -> tuple[Vhost, ...]:
    def vhost(name: Scalar, below: Tree, owner: str) -> Vhost:
        known = reader.options(below, name.text, ("user",))
        taken = reader.take(_VHOST, name, owner)
        return Vhost(taken, reader.user(_USER, known, name, owner), line=name.line)

    return reader.each(tree, owner, vhost)


def _variables(
    application: Application, endpoints: Mapping[int, Endpoint], credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        Account(item.user, ACCOUNTS.credential(item.user).name, item.name)
        for item in application.parts(Vhost)
    ]
    if KEY in application.shared:
        (user,) = names_of(credentials, "RABBITMQ_USER")
        own = [Account(user, "RABBITMQ_PASSWORD", "/")]
    for number, account in enumerate(own):
        spelled = "%2F" if account.place == "/" else account.place
        yield from _FORM.variables(account, endpoints[PORT], number, spelled)


OFFER = Offer(
    KEY,
    _read,
    _variables,
    ACCOUNTS,
    shared={SHARED: (PORT,)},
    named_in_store=True,
    taken=frozenset({"guest"}),
    platform_users=("RABBITMQ_USER",),
)

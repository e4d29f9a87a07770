"""Passwords of applications' accounts in the credential store: one variable for each user of a service.

The variable follows from the user's name (`POSTGRES_USER_SHOP_PASSWORD` of role `shop`) and is in the service's own
file, so that the ten files of the store stay ten (SEC-1) and no name has to be written twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybuzz.site.credentials import schema
from keybuzz.site.credentials.schema import Credential


@dataclass(frozen=True, slots=True)
class AccountKind:
    """The accounts of one service."""

    service: str
    file: str
    prefix: str
    consumers: tuple[str, ...]

    def credential(self, user: str) -> Credential:
        """Return the credential of a user."""
        name = f"{self.prefix}{user.upper()}{_SUFFIX}"
        return Credential(name, self.file, "", self.consumers)

    def rotation(self, user: str) -> str:
        """Return what `kbz secrets rotate` calls it."""
        return f"{self.service}-user-{user}"


_SUFFIX = "_PASSWORD"


def kinds() -> tuple[AccountKind, ...]:
    """Return the accounts of every service that has some for applications."""
    from keybuzz.site.applications.services import offers

    return tuple(offer.accounts for offer in offers() if offer.accounts is not None)


def account_of(name: str) -> Credential | None:
    """Return the credential of a variable that has the form of an account's password, or None."""
    for kind in kinds():
        if match := re.fullmatch(rf"{kind.prefix}([A-Z0-9_]+){_SUFFIX}", name):
            return kind.credential(match[1])
    return None


def find(name: str) -> Credential | None:
    """Return the credential of that name or alias, the platform's or an account's; None for any other name."""
    return schema.find(name) or account_of(name)

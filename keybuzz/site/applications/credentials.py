"""The credentials that applications need: the schema of the store with their accounts in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Applications, Part
from keybuzz.site.applications.offer import Offer
from keybuzz.site.applications.services import offers
from keybuzz.site.credentials.accounts import AccountKind
from keybuzz.site.credentials.schema import Credential, schema
from keybuzz.site.files.problems import Problems


def accounts(applications: Applications) -> tuple[tuple[AccountKind, str], ...]:
    """Return every account that is described, once: its kind and its user."""
    found = (
        (offer.accounts, part.user)
        for offer in offers()
        if offer.accounts is not None
        for item in applications.items
        for part in item.own.get(offer.key, ())
    )
    return tuple(dict.fromkeys(found))


def schema_with(applications: Applications) -> tuple[Credential, ...]:
    """Return the schema of the store with a password for each account of the applications."""
    return (*schema(), *(kind.credential(user) for kind, user in accounts(applications)))


def require_free(applications: Applications, credentials: Mapping[str, Secret]) -> None:
    """Raise InputError when an application takes a name that the store gives to the platform itself."""
    problems = Problems(applications.source)
    for offer in offers():
        for (name, line), variables in _named(applications, offer).items():
            for variable in variables:
                if variable in credentials and credentials[variable].reveal() == name:
                    what = f"{name} is the platform's own ({variable} of the credential store)"
                    shared = f", or write `{offer.key}: shared`" if offer.shared else ""
                    problems.add(line, what, f"choose another name{shared}")
    problems.raise_if_any()


def _named(applications: Applications, offer: Offer) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return each name with its line, and the variables of the store that must not hold it."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for item in applications.items:
        for part in item.own.get(offer.key, ()):
            for name, variables in _names(part, offer):
                known = found.get((name, part.line), ())
                found[name, part.line] = tuple(dict.fromkeys((*known, *variables)))
    return found


def _names(part: Part, offer: Offer) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield part.name, offer.platform_names
    yield part.user, offer.platform_users

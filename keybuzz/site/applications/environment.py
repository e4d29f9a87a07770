"""The environment of an application: official endpoints and names in clear, secrets as references. Pure.

The first database, vhost or bucket has the short names (`DATABASE_URL`); each further one has its own name in them
(`SHOP_EVENTS_DATABASE_URL`), so that describing one more never renames what an application reads already.
"""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application
from keybuzz.site.applications.services import offers
from keybuzz.site.applications.uses import Endpoints
from keybuzz.site.applications.variables import Variable


def environment(
    application: Application, endpoints: Endpoints, credentials: Mapping[str, Secret]
) -> tuple[Variable, ...]:
    """Return the variables of the application.

    The names of the platform's own accounts are in the store; `credentials` may be empty for an application that has
    accounts of its own only. InputError when a name is missing.
    """
    return tuple(
        variable
        for offer in offers()
        if application.uses(offer.key)
        for variable in offer.variables(
            application,
            {port: found for (key, port), found in endpoints.items() if key == offer.key},
            credentials,
        )
    )


def needs_store(application: Application) -> bool:
    """Return whether names for its environment are in the credential store only."""
    return any(offer.key in application.shared and offer.named_in_store for offer in offers())

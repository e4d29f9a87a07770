"""The services that have an official endpoint, as clients know them; each is declared by its module."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from keybuzz.site.applications.offer import Offer


@dataclass(frozen=True, slots=True)
class Service:
    """A cluster that applications use, as their configurations know it."""

    title: str
    group: str
    """Its servers, in groups.yaml."""
    ports: tuple[int, ...]
    """Ports of its endpoint; the first is the one that is meant when none is named."""
    proxies: str
    """The group that the endpoint leads to."""
    own_ports: frozenset[int]
    """Ports on which its servers answer, which its endpoint does not have."""
    schemes: frozenset[str]
    words: re.Pattern[str]
    """A word of a setting's name that means it."""
    entry: str = ""
    """The server that is its endpoint itself, by its name; empty where a load balancer leads to it.

    Where no server has that name, it is the first of the group.
    """
    is_database: bool = False
    """Settings about it may be called `db_port` and the like."""
    offer: Offer | None = None
    """What applications.yaml can describe in it; None where that is nothing."""


@cache
def services() -> tuple[Service, ...]:
    """Return every service that a module declares, in the owner's order of modules."""
    from keybuzz.site.modules import all_modules

    return tuple(service for module in all_modules() for service in module.services)


def offers() -> tuple[Offer, ...]:
    """Return what applications.yaml can describe, in the same order."""
    return tuple(service.offer for service in services() if service.offer is not None)

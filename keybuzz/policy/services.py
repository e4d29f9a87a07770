"""What clients call the services that have an official endpoint: by words of names, schemes and ports."""

from __future__ import annotations

import re

from keybuzz.site.applications.services import Service, services

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in any style, in small letters: `dbHost`, `DB_HOST`, `db-host`."""
    return tuple(
        word.lower()
        for part in re.split(r"[^A-Za-z0-9]+", name)
        for word in (_WORDS.findall(re.sub(r"(?<=[A-Za-z])\d+", "", part)) if part else ())
    )


def by_words(words: tuple[str, ...]) -> Service | None:
    """Return the service that the last telling word means, or None."""
    for word in reversed(words):
        for service in services():
            if service.words.fullmatch(word):
                return service
    return None


def by_scheme(scheme: str) -> Service | None:
    """Return the service of a URL's scheme or of a driver's name, such as `postgresql+psycopg`."""
    for part in re.split(r"[+._:]", scheme.lower()):
        for service in services():
            if part in service.schemes:
                return service
    return None


def by_port(port: int | None) -> Service | None:
    """Return the service that answers on a port, by its endpoint or by its servers, or None."""
    return next((s for s in services() if port in s.ports or port in s.own_ports), None)

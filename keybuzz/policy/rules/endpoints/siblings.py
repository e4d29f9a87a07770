"""Settings that belong to the host of another setting: its port, and what kind of program it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from keybuzz.policy.document import Setting
from keybuzz.policy.services import by_scheme, by_words, words_of
from keybuzz.site.applications.services import Service

_HOST = (
    "hostname",
    "hostaddr",
    "hostip",
    "hosts",
    "host",
    "address",
    "addr",
    "servers",
    "server",
    "endpoint",
    "nodes",
    "node",
    "seeds",
    "ip",
    "url",
    "uri",
)
_KIND = (
    "type",
    "client",
    "driver",
    "engine",
    "dialect",
    "adapter",
    "kind",
    "backend",
    "connection",
    "protocol",
    "scheme",
    "drivername",
    "provider",
    "",
)
_PLAIN = frozenset(
    {
        "host",
        "hostname",
        "hosts",
        "port",
        "url",
        "uri",
        "dsn",
        "address",
        "addr",
        "server",
        "servers",
        "endpoint",
        "endpoints",
        "value",
        "default",
        "connection",
        "node",
        "nodes",
        "ip",
        "name",
        "location",
        "broker",
        "link",
        "string",
        "primary",
        "master",
        "writer",
        "main",
    }
)
"""Names that tell no service: the one above them does."""


class Siblings:
    """The settings of a document by scope and name."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._known: dict[tuple[int, str], Setting] = {}
        for setting in settings:
            if setting.key:
                self._known.setdefault((setting.scope, _bare(setting.key)), setting)

    def port(self, setting: Setting) -> Setting | None:
        """Return the setting of the port that belongs to a host, or None."""
        for prefix in _prefixes(setting.key):
            for name in (
                f"{prefix}port",
                f"{prefix}tcpport",
                f"{prefix}portnumber",
                f"{prefix}portvalue",
            ):
                found = self._known.get((setting.scope, name))
                if found is not None and found is not setting:
                    return found
        service = named_service(setting)
        if service is not None and service.is_database:
            return self._known.get((setting.scope, "dbport"))
        return None

    def kind(self, setting: Setting) -> Service | None:
        """Return the service that a setting next to a host says it is, such as `DB_TYPE=postgresql`."""
        for prefix in _prefixes(setting.key):
            for start in dict.fromkeys(
                (prefix, "db", "database") if prefix in ("", "db") else (prefix,)
            ):
                for suffix in _KIND:
                    found = self._known.get((setting.scope, f"{start}{suffix}"))
                    if found is not None and found is not setting and len(found.value) < 40:
                        service = by_scheme(found.value) or by_words(words_of(found.value))
                        if service is not None:
                            return service
        return None


def named_service(setting: Setting) -> Service | None:
    """Return the service that the name of a setting tells, or None."""
    for name in reversed(setting.path[-3:]):
        words = words_of(name)
        service = by_words(words)
        if service is not None:
            return service
        if not set(words) <= _PLAIN:
            return None
    return None


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _prefixes(key: str) -> tuple[str, ...]:
    """Return what is before the word that means a host, in all ways to cut it."""
    bare = _bare(key)
    found = [bare.removesuffix(word) for word in _HOST if bare.endswith(word)]
    return tuple(dict.fromkeys((*found, bare)))

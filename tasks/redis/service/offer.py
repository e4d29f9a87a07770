"""What an application can have in Redis: a database of its own, or a prefix of its keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Part
from keybuzz.site.applications.names import NameKind
from keybuzz.site.applications.offer import SHARED, Offer
from keybuzz.site.applications.reader import PartReader
from keybuzz.site.applications.variables import Endpoint, Password, Plain, Url, Variable
from keybuzz.site.files.problems import shown
from keybuzz.site.files.yaml_tree import Fields, Scalar, Tree

KEY = "redis"
PORT = 6379
"""Of the endpoint."""
_LAST_DATABASE = 15
"""Redis has 16 by default, which is what is installed."""
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,40}:")
_DATABASE_KIND, _PREFIX_KIND = NameKind("Redis database"), NameKind("Redis prefix")


@dataclass(frozen=True, slots=True)
class RedisPart(Part):
    """The part of Redis that an application keeps to; its name is the number of a database, or a prefix."""

    @property
    def database(self) -> int:
        """Its database: 0 for a prefix."""
        return int(self.name) if self.name.isdigit() else 0

    @property
    def prefix(self) -> str:
        """Its prefix; empty for a database of its own."""
        return "" if self.name.isdigit() else self.name


def _read(reader: PartReader, tree: Tree, owner: str) -> tuple[RedisPart, ...]:
    known = reader.fields(tree, f"redis of {owner}", (), ("database", "prefix"))
    if isinstance(tree, Fields) and len(known) != 1 and len(tree.entries) != 1:
        hint = 'write {database: 3}, or {prefix: "shop:"} for keys in database 0'
        reader.problems.add(tree.line, f"redis of {owner} needs one of database and prefix", hint)
    if "database" in known:
        place = known["database"]
        number = reader.number(place, "database", 1, _LAST_DATABASE)
        name = reader.take(_DATABASE_KIND, Scalar(str(number), place.line), owner)
        return (RedisPart(name, line=place.line),)
    if "prefix" not in known:
        return ()
    return (RedisPart(_prefix(reader, known["prefix"], owner), line=known["prefix"].line),)


def _prefix(reader: PartReader, tree: Tree, owner: str) -> str:
    text = reader.text(tree, "prefix")
    if text and not _PREFIX.fullmatch(text):
        what = f"prefix {shown(text)} is not a prefix of keys"
        reader.problems.add(tree.line, what, 'write a name and a colon: "shop:"')
        return text
    return reader.take(_PREFIX_KIND, Scalar(text, tree.line), owner)


def _variables(
    application: Application, endpoints: Mapping[int, Endpoint], credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    del credentials  # its one account has no name
    part = next(iter(application.parts(RedisPart)), RedisPart("0"))
    endpoint = endpoints[PORT]
    yield Plain("REDIS_HOST", endpoint.host)
    yield Plain("REDIS_PORT", str(endpoint.port))
    yield Plain("REDIS_DB", str(part.database))
    if part.prefix:
        yield Plain("REDIS_PREFIX", part.prefix)
    yield Password("REDIS_PASSWORD", "REDIS_PASSWORD")
    yield Url("REDIS_URL", "redis://:", "REDIS_PASSWORD", f"@{endpoint}/{part.database}")


OFFER = Offer(KEY, _read, _variables, shared={SHARED: (PORT,)})

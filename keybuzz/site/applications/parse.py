"""inventory/applications.yaml, from bytes to checked Applications; what is wrong is told with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from keybuzz.site.applications.described import (
    Application,
    Applications,
    Bucket,
    MariadbDatabase,
    PostgresDatabase,
    RedisPart,
    Service,
    Vhost,
)
from keybuzz.site.applications.names import EXTENSIONS, NameKind, Names
from keybuzz.site.files.problems import Problems, nearest, read_file, shown
from keybuzz.site.files.yaml_tree import Fields, Listing, Scalar, Tree, TreeReader, parse_fields

T = TypeVar("T")
_LIMIT = 1 << 18
SHARED, SHARED_POOL = "shared", "shared-pool"
"""Words for the platform's own account, the second through the pool of PostgreSQL."""
_LONGEST_TITLE = 100
_LAST_REDIS_DATABASE = 15
"""Redis has 16 by default, which is what is installed."""
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,40}:")
_MOST_CONNECTIONS = 1000
_SHORTEST_STORE_USER = 3
"""Characters: MinIO takes no access key that is shorter."""
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


def load_applications(path: Path | None) -> Applications:
    """Read applications.yaml; without a path there are none."""
    if path is None:
        return Applications()
    return parse_applications(read_file(path, _LIMIT), str(path))


def parse_applications(content: bytes, source: str) -> Applications:
    """Return the applications; InputError names every problem with its line."""
    problems = Problems(source)
    reader = _ApplicationsReader(problems)
    top = reader.fields(parse_fields(content, source), "the file", ("applications",))
    problems.raise_if_any()
    found = reader.applications(top["applications"])
    problems.raise_if_any()
    return Applications(found, source)


class _ApplicationsReader(TreeReader):
    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self._names = Names(problems)

    def applications(self, tree: Tree) -> tuple[Application, ...]:
        entries = () if _nothing(tree) else self.entries(tree, "applications")
        return tuple(self._application(name, value) for name, value in entries)

    def _title(self, tree: Tree, what: str) -> str:
        """Return a title of one line: it is a comment in the environment of the application."""
        title = self.text(tree, f"title of {what}")
        if not title.isprintable() or len(title) > _LONGEST_TITLE:
            words = f"write one line of at most {_LONGEST_TITLE} printable characters"
            self.problems.add(tree.line, f"title of {what} is {shown(title)}", words)
        return title

    def _application(self, name: Scalar, tree: Tree) -> Application:
        what = f"application {shown(name.text)}"
        owner = self._names.take(NameKind.APPLICATION, name, name.text)
        fields = self.fields(tree, what, ("title",), tuple(item.value for item in Service))
        own = {Service(key): value for key, value in fields.items() if key != "title"}
        shared = {item: word for item, tree in own.items() if (word := self._shared(item, tree))}
        for item in shared:
            del own[item]
        redis = own.get(Service.REDIS)
        return Application(
            name=owner,
            title=self._title(fields["title"], what) if fields else "",
            shared=frozenset(shared),
            pool=shared.get(Service.POSTGRES) == SHARED_POOL,
            databases=self._each(own.get(Service.POSTGRES), owner, self._database),
            sites=self._each(own.get(Service.MARIADB), owner, self._site),
            vhosts=self._each(own.get(Service.RABBITMQ), owner, self._vhost),
            redis=self._redis(redis, owner) if redis is not None else None,
            buckets=self._buckets(own.get(Service.BUCKETS), owner),
            line=name.line,
        )

    def _shared(self, service: Service, tree: Tree) -> str:
        """Return the word for the platform's own account, or nothing; another word is a problem."""
        if not isinstance(tree, Scalar) or service is Service.BUCKETS:
            return ""
        words = (SHARED, SHARED_POOL) if service is Service.POSTGRES else (SHARED,)
        if tree.text not in words:
            what = f"{service.value} is {shown(tree.text)}"
            hint = f"{nearest(tree.text, words)}; or describe what it has of its own"
            self.problems.add(tree.line, what, hint)
        return tree.text or SHARED

    def _each(
        self, tree: Tree | None, owner: str, read: Callable[[Scalar, Tree, str], T]
    ) -> tuple[T, ...]:
        entries = self.entries(tree, f"what {owner} has") if tree is not None else ()
        if tree is not None and isinstance(tree, Fields) and not entries:
            self.problems.add(
                tree.line, f"{owner} describes nothing here", "name what it has of its own"
            )
        return tuple(read(name, value, owner) for name, value in entries)

    def _database(self, name: Scalar, tree: Tree, owner: str) -> PostgresDatabase:
        known = self._options(tree, name.text, ("user", "extensions", "pool", "connections"))
        database = self._names.take(NameKind.POSTGRES_DATABASE, name, owner)
        user = self._user(NameKind.POSTGRES_USER, known, name, owner)
        extensions = known.get("extensions")
        return PostgresDatabase(
            database,
            user,
            self._extensions(extensions) if extensions is not None else (),
            self._word(known["pool"], "pool") if "pool" in known else False,
            self._connections(known, 20),
            name.line,
        )

    def _site(self, name: Scalar, tree: Tree, owner: str) -> MariadbDatabase:
        known = self._options(tree, name.text, ("user", "connections"))
        database = self._names.take(NameKind.MARIADB_DATABASE, name, owner)
        user = self._user(NameKind.MARIADB_USER, known, name, owner)
        return MariadbDatabase(database, user, self._connections(known, 100), name.line)

    def _vhost(self, name: Scalar, tree: Tree, owner: str) -> Vhost:
        known = self._options(tree, name.text, ("user",))
        vhost = self._names.take(NameKind.VHOST, name, owner)
        return Vhost(vhost, self._user(NameKind.RABBITMQ_USER, known, name, owner), name.line)

    def _options(self, tree: Tree, name: str, optional: tuple[str, ...]) -> dict[str, Tree]:
        return {} if _nothing(tree) else self.fields(tree, shown(name), (), optional)

    def _user(self, kind: NameKind, known: dict[str, Tree], name: Scalar, owner: str) -> str:
        """Return the user, who is called as the database or vhost is unless the file says otherwise."""
        tree = known.get("user")
        if tree is None:
            return self._names.take(kind, name, owner)
        return self._names.take(kind, Scalar(self.text(tree, "user"), tree.line), owner)

    def _connections(self, known: dict[str, Tree], default: int) -> int:
        if "connections" not in known:
            return default
        return self.number(known["connections"], "connections", 1, _MOST_CONNECTIONS)

    def _extensions(self, tree: Tree) -> tuple[str, ...]:
        found: list[str] = []
        for item in self.items(tree, "extensions"):
            name = self.text(item, "an extension")
            if name and name not in EXTENSIONS:
                what = f"extension {shown(name)} is not in the image of PostgreSQL"
                self.problems.add(item.line, what, nearest(name, EXTENSIONS))
            elif name in found:
                self.problems.add(item.line, f"extension {name} is there twice", "keep one")
            else:
                found.append(name)
        return tuple(found)

    def _word(self, tree: Tree, name: str) -> bool:
        text = self.text(tree, name)
        if text not in _WORDS:
            self.problems.add(tree.line, f"{name} is {shown(text)}", "write yes or no")
        return _WORDS.get(text, False)

    def _redis(self, tree: Tree, owner: str) -> RedisPart:
        known = self.fields(tree, f"redis of {owner}", (), ("database", "prefix"))
        if isinstance(tree, Fields) and len(known) != 1 and len(tree.entries) != 1:
            hint = 'write {database: 3}, or {prefix: "shop:"} for keys in database 0'
            self.problems.add(tree.line, f"redis of {owner} needs one of database and prefix", hint)
        if "database" in known:
            place = known["database"]
            number = self.number(place, "database", 1, _LAST_REDIS_DATABASE)
            self._names.take(NameKind.REDIS_DATABASE, Scalar(str(number), place.line), owner)
            return RedisPart(database=number)
        return RedisPart(prefix=self._prefix(known["prefix"], owner) if "prefix" in known else "")

    def _prefix(self, tree: Tree, owner: str) -> str:
        text = self.text(tree, "prefix")
        if text and not _PREFIX.fullmatch(text):
            what = f"prefix {shown(text)} is not a prefix of keys"
            self.problems.add(tree.line, what, 'write a name and a colon: "shop:"')
            return text
        return self._names.take(NameKind.REDIS_PREFIX, Scalar(text, tree.line), owner)

    def _buckets(self, tree: Tree | None, owner: str) -> tuple[Bucket, ...]:
        items = self.items(tree, f"buckets of {owner}") if tree is not None else ()
        if isinstance(tree, Listing) and not items:
            what = f"buckets of {owner} is empty"
            self.problems.add(
                tree.line, what, "name its buckets: [shop-files], or leave the line out"
            )
        names = [Scalar(self.text(item, "a bucket"), item.line) for item in items]
        if names and len(owner) < _SHORTEST_STORE_USER and tree is not None:
            what = f"{owner} is too short for a user of MinIO, who is called after the application"
            self.problems.add(tree.line, what, "name the application by three letters or more")
        return tuple(
            Bucket(self._names.take(NameKind.BUCKET, name, owner), name.line) for name in names
        )


def _nothing(tree: Tree) -> bool:
    """Return whether nothing is after the colon, or `{}`."""
    return tree == Scalar("", tree.line) or tree == Fields((), tree.line)

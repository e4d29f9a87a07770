"""What the rules see of a file, whatever its kind: small values, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum


class Kind(Enum):
    """How a file is read."""

    ENVIRONMENT = "environment file"
    SETTINGS = "settings"
    YAML = "YAML"
    DOCKERFILE = "Dockerfile"
    HAPROXY = "HAProxy configuration"
    SHELL = "shell"
    MARKDOWN = "Markdown"
    TEXT = "text"
    """Only searched for secrets."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, both counted from 1."""

    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that is used, with the name that it has there; "" when it has none."""

    key: str
    value: str
    place: Place
    path: tuple[str, ...] = ()
    """Keys above it in a tree, outermost first."""

    def lines(self) -> Iterator[tuple[str, Place]]:
        """Yield the lines of the value with their places; only a block of YAML has more than one."""
        for number, text in enumerate(self.value.split("\n")):
            yield text, Place(self.place.line + number, self.place.column)


@dataclass(frozen=True, slots=True)
class Image:
    """A reference to a container image that is run, built upon or pushed."""

    reference: str
    place: Place


@dataclass(frozen=True, slots=True)
class Bind:
    """An address that something listens on. Address "" and `*` mean every address of the host."""

    address: str
    port: str
    place: Place
    of: str = ""
    """The image, or the addresses behind it, as far as it is known: who is exposed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command, without its quotes."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command of a shell, without redirections and assignments."""

    words: tuple[Word, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The words as they are given to the program."""
        return tuple(word.text for word in self.words)

    @property
    def name(self) -> str:
        """The program's name without its folder."""
        return self.words[0].text.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile."""

    name: str
    """In capitals, such as RUN."""
    text: str
    place: Place
    commands: tuple[Command, ...] = ()
    """What RUN, CMD and ENTRYPOINT run."""


@dataclass(frozen=True, slots=True)
class Build:
    """One Dockerfile."""

    instructions: tuple[Instruction, ...]

    def named(self, *names: str) -> tuple[Instruction, ...]:
        """Return the instructions of these names, in order."""
        return tuple(item for item in self.instructions if item.name in names)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML document: a text, a list or a mapping."""

    place: Place
    text: str | None = None
    items: tuple[Node, ...] = ()
    entries: tuple[tuple[str, Node], ...] = ()
    is_list: bool = False
    key: Place | None = None
    """Where the key of it stands, when it is a value of a mapping."""
    tag: str = "str"
    """What YAML takes a text for: str, int, float, bool, null, timestamp."""

    def get(self, *keys: str) -> Node | None:
        """Return the value under these keys, one below the other, or None."""
        found: Node | None = self
        for key in keys:
            found = dict(found.entries).get(key) if found is not None else None
        return found

    def word(self, *keys: str) -> str:
        """Return the text under these keys, or ""."""
        found = self.get(*keys)
        return found.text or "" if found is not None else ""

    def all(self, *keys: str) -> tuple[Node, ...]:
        """Return the items of the list under these keys, or ()."""
        found = self.get(*keys)
        return found.items if found is not None else ()

    def plain(self) -> object:
        """Return the value as JSON has it, which is what a schema judges."""
        if self.text is None:
            if self.entries or not self.is_list:
                return {key: value.plain() for key, value in self.entries}
            return [item.plain() for item in self.items]
        if self.tag == "null":
            return None
        if self.tag == "bool":
            return self.text.lower() in ("true", "yes", "on", "y")
        if self.tag not in ("int", "float"):
            return self.text
        try:
            return int(self.text, 0) if self.tag == "int" else float(self.text)
        except ValueError:
            return self.text

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield every text below, with the keys that lead to it; an item of a list adds no key."""
        if self.text is not None:
            yield path, self
        for item in self.items:
            yield from item.walk(path)
        for key, value in self.entries:
            yield from value.walk((*path, key))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Kubernetes object."""

    api_version: str
    kind: str
    name: str
    root: Node

    @property
    def pod(self) -> Node | None:
        """The specification of the pods that it runs, or None."""
        if self.kind == "Pod":
            return self.root.get("spec")
        if self.kind == "CronJob":
            return self.root.get("spec", "jobTemplate", "spec", "template", "spec")
        return self.root.get("spec", "template", "spec")


@dataclass(frozen=True, slots=True)
class Fault:
    """A file, or a part of one, that can not be read as what it says it is."""

    what: str
    place: Place


@dataclass(frozen=True, slots=True)
class Document:
    """A file as the rules see it."""

    path: str
    kind: Kind
    text: str
    settings: tuple[Setting, ...] = ()
    images: tuple[Image, ...] = ()
    binds: tuple[Bind, ...] = ()
    commands: tuple[Command, ...] = ()
    builds: tuple[Build, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    faults: tuple[Fault, ...] = ()
    quoted_images: tuple[Image, ...] = ()
    """References that stand as code in the prose of a Markdown file."""

    def joined(self, other: Document) -> Document:
        """Return this document with everything that was found in a part of it."""
        return replace(
            self,
            settings=self.settings + other.settings,
            images=self.images + other.images,
            binds=self.binds + other.binds,
            commands=self.commands + other.commands,
            builds=self.builds + other.builds,
            manifests=self.manifests + other.manifests,
            faults=self.faults + other.faults,
        )

"""What the rules see of a file, whatever its kind: small values, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import Enum

from keybuzz.policy.node import Node, Place


class Kind(Enum):
    """How a file is read."""

    ENVIRONMENT = "environment file"
    SETTINGS = "settings"
    UNIT = "systemd unit"
    YAML = "YAML"
    JSON = "JSON"
    TOML = "TOML"
    HCL = "HCL"
    XML = "XML"
    DOCKERFILE = "Dockerfile"
    HAPROXY = "HAProxy configuration"
    BLOCKS = "configuration in braces"
    LIBCONFIG = "libconfig"
    TAGGED = "configuration in angle brackets"
    ARROWS = "configuration with arrows"
    GROOVY = "Groovy"
    SHELL = "shell"
    CODE = "source code"
    MAKEFILE = "Makefile"
    CRONTAB = "crontab"
    MARKDOWN = "Markdown"
    PROSE = "text"
    """Written for people: searched for secrets; names of servers are no addresses there."""
    UNKNOWN = "text of an unknown form"
    """Searched for addresses and secrets, line by line, and told as not judged."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that is used, with the names that lead to it, outermost first."""

    path: tuple[str, ...]
    value: str
    place: Place
    scope: int = 0
    """Settings of one file belong together only within one scope: a command, a section, a document."""
    tag: str = "str"
    """What the format takes the value for: str, int, float, bool, null, timestamp."""

    @property
    def key(self) -> str:
        """The innermost name; "" when it has none."""
        return self.path[-1] if self.path else ""

    def lines(self) -> Iterator[tuple[str, Place]]:
        """Yield the lines of the value with their places; only a block of YAML has more than one."""
        for number, text in enumerate(self.value.split("\n")):
            yield text, Place(self.place.line + number, self.place.column)


@dataclass(frozen=True, slots=True)
class Image:
    """A reference to a container image that is run, built upon or pushed."""

    reference: str
    place: Place
    is_tag: bool = False
    """True when only the tag is at that place: the repository is named elsewhere."""


@dataclass(frozen=True, slots=True)
class Bind:
    """An address that something listens on. Address "" and `*` mean every address of the host."""

    address: str
    port: str
    place: Place
    of: str = ""
    """The image, or the addresses behind it, as far as it is known: who is exposed."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a proxy sends what it receives."""

    target: str
    place: Place
    listens: tuple[str, ...] = ()
    """Addresses on which the proxy takes it; empty means every address."""


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
class Manifest:
    """A Kubernetes object."""

    api_version: str
    kind: str
    name: str
    root: Node

    @property
    def namespace(self) -> str:
        """The namespace that it names; "" when it names none."""
        return self.root.word("metadata", "namespace")

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
    """A file, or a part of one, that cannot be read as what it says it is."""

    what: str
    place: Place


@dataclass(frozen=True, slots=True)
class Document:
    """A file as the rules see it."""

    path: str
    kind: Kind
    text: str
    settings: tuple[Setting, ...] = ()
    variables: tuple[Setting, ...] = ()
    """Assignments that other values of the same file may refer to by `$NAME`."""
    images: tuple[Image, ...] = ()
    binds: tuple[Bind, ...] = ()
    routes: tuple[Route, ...] = ()
    commands: tuple[Command, ...] = ()
    builds: tuple[Build, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    faults: tuple[Fault, ...] = ()
    quoted_images: tuple[Image, ...] = ()
    """References that are written as code in the prose of a Markdown file."""
    unjudged: str = ""
    """Why no reader understood the file, or a part of it; "" when one did."""
    is_compose: bool = False
    """True for a compose file: `.env` next to it fills its variables."""

    def joined(self, other: Document) -> Document:
        """Return this document with everything that was found in a part of it."""
        found = {name: getattr(self, name) + getattr(other, name) for name in _LISTS}
        return replace(
            self,
            unjudged=self.unjudged or other.unjudged,
            is_compose=self.is_compose or other.is_compose,
            **found,
        )


_LISTS = tuple(field.name for field in fields(Document) if str(field.type).startswith("tuple["))

"""What inventory/applications.yaml says: each application with what it needs of the platform. Pure values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from keybuzz.model.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Part:
    """What an application has of its own in a service, such as a database; modules have classes below it."""

    name: str
    user: str = ""
    """Whose it is; empty where the service has no accounts of applications."""
    line: int = field(default=0, kw_only=True)


P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class Application:
    """One application."""

    name: str
    title: str
    shared: Mapping[str, str] = field(default_factory=dict)
    """Services that it uses by the platform's own account, each with the word that says so (`Offer.shared`)."""
    own: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    """What it has of its own, by service."""
    line: int = 0

    def parts(self, kind: type[P]) -> tuple[P, ...]:
        """Return what it has of that kind."""
        return tuple(part for own in self.own.values() for part in own if isinstance(part, kind))

    def uses(self, service: str) -> bool:
        """Return whether it may use a service, by its key."""
        return service in self.shared or bool(self.own.get(service))


@dataclass(frozen=True, slots=True)
class Applications:
    """All applications, in the order of the file."""

    items: tuple[Application, ...] = ()
    source: str = "applications.yaml"
    """The file, as messages name it."""

    def named(self, name: str) -> Application:
        """Return the application of that name; InputError with names that look like it."""
        from keybuzz.site.files.problems import nearest

        for item in self.items:
            if item.name == name:
                return item
        names = [item.name for item in self.items]
        hint = nearest(name, names) if names else "describe it there"
        raise InputError(f"no application is named {name}", where=self.source, hint=hint)

    def parts(self, kind: type[P]) -> Iterator[tuple[Application, P]]:
        """Yield everything of that kind with its application."""
        return ((item, part) for item in self.items for part in item.parts(kind))

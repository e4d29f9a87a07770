"""What an application may use: the one place where a check asks, and what it is told when none is described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from keybuzz.site.applications.described import Application
from keybuzz.site.applications.uses import Endpoints, refusal


class Applications(Protocol):
    """The described applications, as the rules see them."""

    def refusal(self, path: str, service: str, port: int) -> str:
        """Return why the files at a path may not use an endpoint of a service ("PostgreSQL", 6432), or ""."""


class AnyApplication:
    """No application is described: every official endpoint is free to all of them."""

    def refusal(self, path: str, service: str, port: int) -> str:
        """Return ""."""
        del path, service, port
        return ""


@dataclass(frozen=True, slots=True)
class OneApplication:
    """All files belong to one application: it may use what applications.yaml describes for it."""

    application: Application
    endpoints: Endpoints

    def refusal(self, path: str, service: str, port: int) -> str:
        """Return why the application may not use the endpoint at a port, or ""."""
        del path, service
        return refusal(self.application, self.endpoints, port)

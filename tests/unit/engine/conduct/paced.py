"""Modules on a dozen servers that stand alone, for tests of careful rollouts."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.content import Content
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.unit.engine.conduct.scripted import module
from tests.unit.support.site_values import memory_site

FLEET = tuple(sorted(server.name for server in memory_site().servers))[:12]
FIRST, SECOND, *_ = FLEET


class Dangerous(File):
    """A file of which a wrong one locks kbz out."""

    @property
    def guarded(self) -> bool:
        return True


def in_two_stages(live: Live) -> Stage | None:
    """Two stages, each for all hosts at once, as base has them."""
    for suffix in ("one", "two"):
        if changes := tuple(c for c in live.changes() if c.identity.endswith(suffix)):
            return Stage(suffix, changes)
    return None


def on_fleet(name: str, kind: type[File] = File) -> Module:
    """Return a module of two files on every server."""

    def describe(site: Site, server: Server) -> Description:
        text = Content.plain("new\n")
        return Description((kind(f"/{name}-one", text), File(f"/{name}-two", text)))

    return replace(module(name, in_two_stages), group="all", describe=describe)

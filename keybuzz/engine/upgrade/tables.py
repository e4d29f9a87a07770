"""Which table is meant by a module and a tag, and which modules run the image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.host.docker import Image
from keybuzz.model.host.upgrades import Upgrades, shown, version_of
from keybuzz.site.module import Module
from keybuzz.site.site import Site


@dataclass(frozen=True, slots=True)
class Meant:
    """One image of versions.yaml that is to be upgraded."""

    table: Upgrades
    users: tuple[Module, ...]
    """Every module whose hosts run it: one entry of versions.yaml is for all of them."""

    @property
    def images(self) -> tuple[str, ...]:
        """Their names in versions.yaml."""
        return (self.table.image, *(item.image for item in self.table.also))

    def current(self, site: Site) -> str:
        """Return the reference that versions.yaml says, without its digest."""
        return site.image(self.table.image).partition("@")[0]

    def target(self, name: str, reference: str, target: str) -> str:
        """Return what the reference of one of its images becomes by an upgrade to `target`."""
        for item in self.table.also:
            if item.image == name:
                return item.pattern.sub(shown(version_of(target)), reference)
        return target


def meant(
    site: Site, module: Module, descriptions: Mapping[str, HostDescription], tag: str, image: str
) -> Meant:
    """Return what is meant; UsageError where that is more than one image, RefusedError where no table is."""
    tables = {table.image: table for one in all_modules() for table in one.upgrades}
    found = {
        name: table
        for name, table in tables.items()
        if module in users(site, table, descriptions)
        if not image or name == image
        if ":" not in tag
        or site.image(name).partition("@")[0].rpartition(":")[0] == tag.rpartition(":")[0]
    }
    if not found:
        known = ", ".join(sorted({t.image for t in tables.values()}))
        raise RefusedError(
            f"no table says which versions of {image or tag or 'its images'} may follow which",
            where=module.name,
            hint=f"there are tables for {known}; another version by hand: docs/how-to/upgrade-an-image.md",
        )
    if len(found) > 1:
        raise UsageError(
            f"{module.name} runs {' and '.join(found)}",
            hint="--image NAME says which, or a tag with its repository: name:tag",
        )
    table = next(iter(found.values()))
    return Meant(table, users(site, table, descriptions))


def users(
    site: Site, table: Upgrades, descriptions: Mapping[str, HostDescription]
) -> tuple[Module, ...]:
    """Return the modules that run the image, or have its table."""
    names = (table.image, *(item.image for item in table.also))
    references = [site.pinned(site.versions[name]) for name in names if name in site.versions]
    return tuple(
        module
        for module in all_modules()
        if table in module.upgrades or _runs(module, descriptions, references)
    )


def _runs(
    module: Module, descriptions: Mapping[str, HostDescription], references: Iterable[str]
) -> bool:
    wanted = tuple(references)
    return any(
        # An image that kbz builds is named after its entry, with a mark of its content.
        resource.reference in wanted
        or resource.reference.startswith(tuple(f"{r}-" for r in wanted))
        for described in descriptions.values()
        if module.name in described.modules
        for resource in described.modules[module.name].resources
        if isinstance(resource, Image)
    )

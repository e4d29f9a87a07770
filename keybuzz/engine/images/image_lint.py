"""Every image that a description, a build or a template uses stands in versions.yaml (VER-1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Container, Image
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_USES = re.compile(r"^\s*(?:-\s+)?(?:FROM|image:)\s+(?:--\S+\s+)?[\"']?([^\s\"'#]+)", re.I | re.M)
_FILLED_IN = re.compile(r"[${]|^scratch$")
"""A variable or a template's expression: its value comes from a description, which is looked at by itself."""
_OF_THE_LAB = frozenset({"stand_in", "legacy"})
"""Folders of what only the lab runs: stand-ins on a Debian of its own, and deployments as they were before kbz."""
_TEXTS = {".j2", ".yaml", ".yml", ".tmpl"}


@dataclass(frozen=True, slots=True)
class Unlisted:
    """An image that is not frozen."""

    where: str
    """`file:line`, or the module and host whose description has it."""
    reference: str


def unlisted(
    site: Site, modules: Iterable[Module], folders: Iterable[Path]
) -> tuple[Unlisted, ...]:
    """Return each image in use that versions.yaml does not list, once. Needs no credentials and no host."""
    with_names = _with_credentials(site)
    found = [
        *(item for module in modules for item in _of_module(with_names, module)),
        *(item for folder in folders for item in _of_folder(site, folder)),
    ]
    return tuple(dict.fromkeys(found))


def _with_credentials(site: Site) -> Site:
    """Descriptions want credentials; which, does not matter for their images."""
    schema = schema_with(site.applications)
    made = {item.name: Secret(item.name, item.default or "x" * item.length) for item in schema}
    return replace(site, credentials={**made, **site.credentials})


def _of_module(site: Site, module: Module) -> Iterator[Unlisted]:
    listed = {site.pinned(version) for version in site.versions.values()}
    for build in module.images(site):
        if not any(build.reference.startswith(f"{reference}-") for reference in listed):
            yield Unlisted(f"module {module.name}, build", build.reference)
        listed.add(build.reference)
        for value in build.arguments.values():
            if ":" in value and value not in listed:
                yield Unlisted(f"module {module.name}, build argument", value)
    for server in site.members(module.group):
        for resource in module.describe(site, server).resources:
            reference = _reference(resource)
            if reference is not None and reference not in listed:
                yield Unlisted(f"module {module.name}, {server.name}", reference)


def _reference(resource: object) -> str | None:
    if isinstance(resource, Image):
        return resource.reference
    return resource.image if isinstance(resource, Container) else None


def _of_folder(site: Site, folder: Path) -> Iterator[Unlisted]:
    listed = {version.reference for version in site.versions.values()}
    for path in sorted(folder.rglob("*")):
        if not _OF_THE_LAB.isdisjoint(path.parts):
            continue
        if path.is_file() and (path.suffix in _TEXTS or path.name.startswith("Dockerfile")):
            text = path.read_text(encoding="utf-8", errors="replace")
            stages = set(re.findall(r"(?im)^FROM\s+.*\s+AS\s+(\S+)", text))
            for match in _USES.finditer(text):
                used = match[1]
                if used not in listed | stages and not _FILLED_IN.search(used):
                    line = text.count("\n", 0, match.start(1)) + 1
                    yield Unlisted(f"{path}:{line}", used)

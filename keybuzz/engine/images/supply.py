"""What a bare node could not be given, or not be given unchanged, said before it is needed. Reads files only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keybuzz.engine.images.versions import built_names
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module
from keybuzz.site.parameters.own import NO_DIGESTS
from keybuzz.site.site import ImageVersion, Site


def supply_warnings(site: Site, modules: Iterable[Module]) -> tuple[str, ...]:
    """Return a sentence for each image whose upstream is going, and each image or program that no digest fixes."""
    built = built_names(site, modules)
    images = tuple(
        f"versions.yaml:{version.line}: {sentence}"
        for version in site.versions.values()
        for sentence in _of(site, version, built)
    )
    return (*images, *_of_binaries(site))


def _of_binaries(site: Site) -> Iterator[str]:
    """Yield each program that no sha256 fixes, where digests count."""
    if NO_DIGESTS.of(site) != "none":
        return
    for binary in site.binaries.values():
        if not binary.digest:
            yield (
                f"versions.yaml:{binary.line}: {binary.name} {binary.version} has no sha256: any file would be taken"
                f" for it → write sha256 under {binary.name}: that of the file of its release"
            )


def _of(site: Site, version: ImageVersion, built: frozenset[str]) -> Iterator[str]:
    if version.upstream:
        yield (
            f"{version.reference}: upstream is {version.upstream}: a bare node may get it only from a host"
            f" that holds it → {proposed('kbz', 'versions', 'mirror', '--from', 'HOST', version.name)}"
        )
    away = site.not_applicable(f"image:{version.reference}") is not None
    compared = NO_DIGESTS.of(site) == "none"
    if compared and not version.digest and version.name not in built and not away:
        yield (
            f"{version.reference} has no digest: a tag that is moved would not be noticed"
            f" → {proposed('kbz', 'versions', 'lock', version.name)}"
        )

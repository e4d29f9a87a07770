"""`kbz versions`: what the frozen images are in the registry, before anything is changed anywhere (VER-1, VER-2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from keybuzz.engine.images.registry import Registry, registry_of, split_reference
from keybuzz.model.core.errors import ContactError, RefusedError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Plan
from keybuzz.model.host.docker import Image
from keybuzz.site.module import Module
from keybuzz.site.parameters.own import NO_DIGESTS, REGISTRY
from keybuzz.site.site import ImageVersion, Site

_PROPOSED = 3


class Status(Enum):
    """What the registry says about one image."""

    PRESENT = "present"
    MISSING = "missing"
    MOVED = "moved"
    """The tag is another manifest than the one that was locked."""
    BUILT = "built by kbz"
    NOT_HERE = "not pulled here"
    """The site's overlay says that none of its hosts pulls it, and why."""
    UNKNOWN = "unknown"
    """No answer."""


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """One image of versions.yaml, and what its reference is."""

    version: ImageVersion
    status: Status
    digest: str = ""
    what: str = ""
    hint: str = ""


def chosen(site: Site, names: tuple[str, ...]) -> tuple[ImageVersion, ...]:
    """Return the images of these names in versions.yaml, or all without a name. UsageError for another name."""
    for name in names:
        if name not in site.versions:
            raise UsageError(
                f"versions.yaml has no image {name}", hint=f"it has {', '.join(site.versions)}"
            )
    return tuple(site.versions[name] for name in names or site.versions)


def verify(
    site: Site, modules: Iterable[Module], registry: Registry, wanted: Iterable[ImageVersion]
) -> tuple[ImageVerdict, ...]:
    """Ask about these images, one after the other. A missing tag gets proposals and never a replacement."""
    built = built_names(site, modules)
    compared = NO_DIGESTS.of(site) == "none"
    verdicts: list[ImageVerdict] = []
    for version in wanted:
        away = site.not_applicable(f"image:{version.reference}")
        if version.name in built:
            what = "kbz builds it from its base"
            verdicts.append(ImageVerdict(version, Status.BUILT, what=what))
        elif away is not None:
            verdicts.append(ImageVerdict(version, Status.NOT_HERE, what=away))
        else:
            verdicts.append(_judge(version, registry, compared=compared))
    return tuple(verdicts)


def require_pullable(
    site: Site,
    plan: Plan,
    registry: Registry | None = None,
    held: frozenset[str] = frozenset(),
) -> None:
    """Ask about the images that a plan pulls, before it changes anything; a plan that pulls none asks no registry.

    An image that another member holds comes from there, whatever the registry says.
    RefusedError for a missing or moved tag: it proposes and takes nothing instead. ContactError without an answer.
    """
    pulled = {
        change.resource.reference
        for changes in plan.changes.values()
        for change in changes
        if isinstance(change.resource, Image) and not change.resource.built
    }
    missing = pulled - held
    wanted = [version for version in site.versions.values() if site.pinned(version) in missing]
    if not wanted:
        return
    settings = site.settings
    registry = registry or registry_of(REGISTRY.of(site), settings.builder_socket)
    compared = NO_DIGESTS.of(site) == "none"
    for version in wanted:
        verdict = _judge(version, registry, compared=compared)
        if verdict.status is Status.UNKNOWN:
            raise ContactError(
                f"it is not known whether {version.reference} can be pulled, so nothing was changed",
                where=version.name,
                hint=f"{verdict.what}; kbz versions verify asks again",
            )
        if verdict.status in (Status.MISSING, Status.MOVED):
            raise RefusedError(
                f"{verdict.what}; nothing was changed", where=version.name, hint=verdict.hint
            )


def exit_code(verdicts: Iterable[ImageVerdict]) -> ExitCode:
    """Return 3 for a missing or moved tag, 4 when a registry did not answer, else 0."""
    found = {verdict.status for verdict in verdicts}
    if found & {Status.MISSING, Status.MOVED}:
        return ExitCode.REFUSED
    return ExitCode.UNREACHABLE if Status.UNKNOWN in found else ExitCode.GOOD


def built_names(site: Site, modules: Iterable[Module]) -> frozenset[str]:
    """Return the names of images that kbz builds: no registry has them."""
    references = [build.reference for module in modules for build in module.images(site)]
    return frozenset(
        version.name
        for version in site.versions.values()
        if any(reference.startswith(f"{version.reference}-") for reference in references)
    )


def _judge(version: ImageVersion, registry: Registry, *, compared: bool) -> ImageVerdict:
    try:
        digest = registry.digest(version.reference)
        if digest is None:
            hint = _proposal(version, registry)
            what = f"{registry.where} has no {version.reference}"
            return ImageVerdict(version, Status.MISSING, what=what, hint=hint)
    except ContactError as error:
        return ImageVerdict(version, Status.UNKNOWN, what=str(error))
    if compared and version.digest and version.digest != digest:
        return ImageVerdict(
            version,
            Status.MOVED,
            digest,
            f"{version.reference} is not the image that was locked ({version.digest[:19]})",
            "find out who moved the tag; only then: kbz versions lock --moved",
        )
    return ImageVerdict(version, Status.PRESENT, digest)


def _proposal(version: ImageVersion, registry: Registry) -> str:
    """Return what an operator can do; the decision and its reason are theirs."""
    _, tag = split_reference(version.reference)
    near = get_close_matches(tag, registry.tags(version.reference), n=_PROPOSED, cutoff=0.5)
    ask = "decide with the owner, then write reference: and reason: into versions.yaml"
    return f"near are {', '.join(near)}; {ask}" if near else ask

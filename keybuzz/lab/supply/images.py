"""Make stand-in images on the builder, each once for each state of its recipe."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tasks
from keybuzz.lab.hosts import base
from keybuzz.lab.hosts.process import Report, exclusive, run, succeeds
from keybuzz.lab.hosts.recipe import IMAGE, IMAGE_13, BaseRecipe
from keybuzz.lab.supply import builder, upstream
from keybuzz.lab.supply.stand_ins import StandIn, stand_ins
from keybuzz.model.inventory.lab import LabSettings

DEBIAN = {IMAGE.digest: "kbz-lab/debian:12", IMAGE_13.digest: "kbz-lab/debian:13"}
"""The small Debian below every stand-in, by the digest of its recipe; only the builder has it."""

_RECIPE_LABEL = "kbz.recipe"
_BUILD_SECONDS = 1800
_BUILDS_AT_ONCE = 3
"""Half of a build is waiting for packages."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A stand-in and its state on the builder."""

    reference: str
    provenance: str
    identity: str
    """Docker's image id; empty when the image is not there."""
    size: int
    """Bytes; 0 when the image is not there."""

    @property
    def present(self) -> bool:
        """Whether the builder has it."""
        return bool(self.identity)


def images(settings: LabSettings) -> tuple[ImageRow, ...]:
    """Return a row for each image that the lab provides. The builder must run."""
    return tuple(_row(settings, stand_in) for stand_in in stand_ins())


def ensure(settings: LabSettings, stand_ins: Sequence[StandIn], report: Report) -> None:
    """Make sure that the builder runs and has these stand-ins, made by their present recipes.

    In a lab on upstream's images it has those that they stand for.
    """
    builder.start(settings, report)
    with exclusive(settings.images / "images.lock"):
        if settings.upstream is not None:
            upstream.pull(settings, [one.reference for one in stand_ins], report)
            return
        missing = [one for one in stand_ins if not _made_by(settings, one.reference, _digest(one))]
        for recipe in dict.fromkeys(one.debian for one in missing):
            _ensure_debian(settings, recipe, report)
        with ThreadPoolExecutor(_BUILDS_AT_ONCE) as pool:
            list(pool.map(lambda one: _build(settings, one, report), missing))


def recipe_folder(recipe: str) -> Path:
    """Return the folder of a stand-in's recipe, which lies in the module that it belongs to."""
    (folder,) = Path(tasks.__path__[0]).glob(f"*/stand_in/{recipe}")
    return folder


def recipe_digest(folder: Path, debian: BaseRecipe = IMAGE) -> str:
    """Return a digest of a recipe's files and of the Debian below it."""
    digest = hashlib.sha256(debian.digest.encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.parent.name == "__pycache__":  # left by a test that ran a program of the recipe
            continue
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _row(settings: LabSettings, stand_in: StandIn) -> ImageRow:
    reference, provenance = stand_in.reference, stand_in.provenance
    if settings.upstream is not None:
        provenance = upstream.source_of(settings.upstream, reference)
    words = ["image", "inspect", reference]
    if not builder.has(settings, words):
        return ImageRow(reference, provenance, "", 0)
    (found,) = json.loads(builder.docker(settings, words))
    return ImageRow(reference, provenance, found["Id"], found["Size"])


def _made_by(settings: LabSettings, reference: str, digest: str) -> bool:
    filters = ("--filter", f"reference={reference}", "--filter", f"label={_RECIPE_LABEL}={digest}")
    return bool(builder.docker(settings, ["image", "ls", "--quiet", *filters]).strip())


def _ensure_debian(settings: LabSettings, recipe: BaseRecipe, report: Report) -> None:
    name = DEBIAN[recipe.digest]
    if _made_by(settings, name, recipe.digest):
        return
    report("", f"Making a small {name} for images from Debian packages: about 40 s, once.")
    for leftover in settings.cache.glob("image-base-*"):
        succeeds(["rm", "-rf", "--one-file-system", leftover])
    folder = settings.cache / f"image-base-{os.getpid()}"
    base.build(recipe, folder)
    base.trust_like_this_machine(folder)
    archive = folder.with_suffix(".tar")
    run(["tar", "--create", "--numeric-owner", f"--directory={folder}", f"--file={archive}", "."])
    change = f"LABEL {_RECIPE_LABEL}={recipe.digest}"
    builder.docker(settings, ["import", "--change", change, archive, name])
    archive.unlink()
    run(["rm", "-rf", "--one-file-system", folder])


def _digest(stand_in: StandIn) -> str:
    return recipe_digest(recipe_folder(stand_in.recipe), stand_in.debian)


def _build(settings: LabSettings, stand_in: StandIn, report: Report) -> None:
    report("", f"Building {stand_in.reference}: {stand_in.provenance}.")
    labels = {
        _RECIPE_LABEL: _digest(stand_in),
        "kbz.standin": stand_in.provenance,
        "org.opencontainers.image.title": stand_in.reference,
        "org.opencontainers.image.description": f"Lab stand-in: {stand_in.provenance}",
    }
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    build = ["build", "--network", "host", "--force-rm", "--tag", stand_in.reference, *words]
    builder.docker(settings, [*build, recipe_folder(stand_in.recipe)], seconds=_BUILD_SECONDS)

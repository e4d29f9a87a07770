"""Images that stand in for the frozen ones where no container registry can be reached.

A stand-in has the reference and the interface of the real image, and says in a label what it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from keybuzz.lab import base, builder
from keybuzz.lab.process import Report, exclusive, run, succeeds
from keybuzz.lab.recipe import IMAGE
from keybuzz.model.lab import LabSettings

DEBIAN = "kbz-lab/debian:12"
"""The small Debian 12 below every stand-in; only the builder has it."""

_RECIPES = Path(__file__).with_name("images")
_RECIPE_LABEL = "kbz.recipe"
_BUILD_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class StandIn:
    """One image that the lab makes itself."""

    reference: str
    """The frozen reference that it answers to."""
    recipe: str
    """Folder below keybuzz/lab/images."""
    provenance: str
    """What it really is."""


STAND_INS = (
    StandIn(
        "postgres:16.4-bookworm",
        "postgres",
        "Debian 12 + PostgreSQL 16.2 from the PyPI wheel pgserver 0.1.4 "
        "(pgvector 0.6.2, no contrib)",
    ),
)


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
    """Return a row for each stand-in. The builder must run."""
    return tuple(_row(settings, stand_in) for stand_in in STAND_INS)


def ensure(settings: LabSettings, report: Report) -> None:
    """Make sure that the builder has every stand-in, made by its present recipe."""
    builder.start(settings, report)
    with exclusive(settings.cache / "images.lock"):
        _ensure_debian(settings, report)
        for stand_in in STAND_INS:
            _ensure_stand_in(settings, stand_in, report)


def recipe_digest(folder: Path) -> str:
    """Return a digest of a recipe's files and of the Debian below it."""
    digest = hashlib.sha256(IMAGE.digest.encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _row(settings: LabSettings, stand_in: StandIn) -> ImageRow:
    reference, provenance = stand_in.reference, stand_in.provenance
    words = ["image", "inspect", reference]
    if not builder.has(settings, words):
        return ImageRow(reference, provenance, "", 0)
    (found,) = json.loads(builder.docker(settings, words))
    return ImageRow(reference, provenance, found["Id"], found["Size"])


def _made_by(settings: LabSettings, reference: str, digest: str) -> bool:
    filters = ("--filter", f"reference={reference}", "--filter", f"label={_RECIPE_LABEL}={digest}")
    return bool(builder.docker(settings, ["image", "ls", "--quiet", *filters]).strip())


def _ensure_debian(settings: LabSettings, report: Report) -> None:
    if _made_by(settings, DEBIAN, IMAGE.digest):
        return
    report("", "Making a small Debian 12 for images from Debian packages: about 40 s, once.")
    for leftover in settings.cache.glob("image-base-*"):
        succeeds(["rm", "-rf", "--one-file-system", leftover])
    folder = settings.cache / f"image-base-{os.getpid()}"
    base.build(IMAGE, folder, settings.cache)
    base.trust_like_this_machine(folder)
    archive = folder.with_suffix(".tar")
    run(["tar", "--create", "--numeric-owner", f"--directory={folder}", f"--file={archive}", "."])
    change = f"LABEL {_RECIPE_LABEL}={IMAGE.digest}"
    builder.docker(settings, ["import", "--change", change, archive, DEBIAN])
    archive.unlink()
    run(["rm", "-rf", "--one-file-system", folder])


def _ensure_stand_in(settings: LabSettings, stand_in: StandIn, report: Report) -> None:
    folder = _RECIPES / stand_in.recipe
    digest = recipe_digest(folder)
    if _made_by(settings, stand_in.reference, digest):
        return
    report("", f"Building {stand_in.reference}: {stand_in.provenance}.")
    labels = {
        _RECIPE_LABEL: digest,
        "kbz.standin": stand_in.provenance,
        "org.opencontainers.image.title": stand_in.reference,
        "org.opencontainers.image.description": f"Lab stand-in: {stand_in.provenance}",
    }
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    build = ["build", "--network", "host", "--force-rm", "--tag", stand_in.reference, *words]
    builder.docker(settings, [*build, folder], seconds=_BUILD_SECONDS)

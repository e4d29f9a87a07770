"""The same lab on real images: pulled by their frozen references, through a registry or mirror that the operator names.

What a lab runs on is decided when it is made, and kept in its root: a server never mixes real images and stand-ins.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from keybuzz.lab.hosts.process import Report
from keybuzz.lab.layout import host_names
from keybuzz.lab.supply import artefacts, builder
from keybuzz.model.core.errors import InputError, KbzError, RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings

_PULL_SECONDS = 1800


def remembered(settings: LabSettings) -> LabSettings:
    """Return the settings with what this lab was made on; InputError when that cannot be read."""
    path = _path(settings)
    if not path.is_file():
        return settings
    try:
        registry = json.loads(path.read_text(encoding="utf-8"))["registry"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "does not say what the lab runs on", where=str(path), hint="kbz lab down --wipe"
        ) from error
    return replace(settings, upstream=str(registry))


def chosen(settings: LabSettings, registry: str | None) -> LabSettings:
    """Return the settings with this choice, and keep it; RefusedError when the lab's servers were made on another.

    None means stand-ins; an empty text each image's own registry.
    """
    wanted = replace(settings, upstream=registry)
    if wanted == settings:
        return settings
    if host_names(settings):
        raise RefusedError(
            f"the servers of lab {settings.name} were made on {_words(settings.upstream)}",
            where="lab",
            hint="kbz lab down --wipe, then kbz lab up with the other images",
        )
    path = _path(settings)
    path.unlink(missing_ok=True)
    if registry is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"registry": registry}) + "\n", encoding="utf-8")
    return wanted


def source_of(registry: str, reference: str) -> str:
    """Return what is pulled for a reference: the same repository and tag, from the registry when one is named."""
    if not registry:
        return reference
    first, slash, rest = reference.partition("/")
    if slash and ("." in first or ":" in first):  # it names a registry of its own
        return f"{registry}/{rest}"
    return f"{registry}/{reference if slash else f'library/{reference}'}"


def pull(settings: LabSettings, references: Iterable[str], report: Report) -> None:
    """Make sure that the builder has these images; what it has already is not pulled again."""
    assert settings.upstream is not None  # only such labs come here
    for reference in references:
        if builder.has(settings, ["image", "inspect", reference]):
            continue
        source = source_of(settings.upstream, reference)
        report("", f"Pulling {source}.")
        try:
            builder.docker(settings, ["pull", "--quiet", source], seconds=_PULL_SECONDS)
        except KbzError as error:
            raise KbzError(
                f"{source} cannot be pulled: {error.what}",
                where="lab",
                hint="--registry names a registry or mirror that has it; when it wants a login: "
                + proposed("docker", "--config", f"{settings.images}/builder/client", "login"),
            ) from error
        if source != reference:
            builder.docker(settings, ["tag", source, reference])


def take_programs(
    settings: LabSettings, names: Sequence[str], source: Path | None, digests: Mapping[str, str]
) -> None:
    """Place the real programs among the lab's artefacts: exactly the files whose SHA-256 versions.yaml has."""
    for name in names:
        digest = digests.get(name, "")
        if not digest:
            raise RefusedError(
                f"versions.yaml has no sha256 for {name}: no file can be told from another",
                where="versions.yaml",
                hint=f"write the sha256 of the release under binaries: {name}",
            )
        target = artefacts.folder(settings) / name
        if target.is_file() and _digest(target) == digest:
            continue
        file = source / name if source is not None else None
        if file is None or not file.is_file():
            raise RefusedError(
                f"there is no file for {name}",
                where=str(file or "lab"),
                hint="--artefacts FOLDER names the folder with the released files",
            )
        if (found := _digest(file)) != digest:
            raise RefusedError(
                f"its content is {found[:19]}, and versions.yaml wants {digest[:19]}",
                where=str(file),
                hint="download the release again, or correct versions.yaml",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".new")
        shutil.copyfile(file, unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _words(registry: str | None) -> str:
    if registry is None:
        return "stand-ins"
    return f"the images of {registry or 'their own registries'}"


def _path(settings: LabSettings) -> Path:
    return settings.root / "images.json"

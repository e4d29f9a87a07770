"""Images that kbz builds itself: once, on the site's builder, kept as an archive and handed to the hosts."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import Docker, quote
from keybuzz.engine.events import ImageWork, Listener
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.live import Stage
from keybuzz.model.host.docker import Image
from keybuzz.site.files.private import private_subfolder, require_private_file
from keybuzz.site.module import ImageBuild, Module
from keybuzz.site.site import Site

_BUILD_TIMEOUT = 900.0
_TAR_END = 1024
"""Bytes of zeros with which a tar ends."""


def archives_for(
    stage: Stage, modules: Iterable[Module], site: Site, listen: Listener
) -> dict[str, Path]:
    """Return the archive of each image that the stage hands out, by reference; build what is missing."""
    wanted = {
        change.resource.reference
        for change in stage.changes
        if isinstance(change.resource, Image) and change.resource.built
    }
    builds = [build for module in modules for build in module.images(site)]
    folder, socket = site.settings.state / "images", site.settings.builder_socket
    return {
        build.reference: archive_of(build, socket, folder, listen)
        for build in builds
        if build.reference in wanted
    }


def archive_of(build: ImageBuild, socket: Path, folder: Path, listen: Listener) -> Path:
    """Return the archive of an image, building it first when it is not built yet.

    The reference is made from the content of the build, so that an archive of that name is the image.
    """
    path = folder / f"{build.reference.replace('/', '_').replace(':', '_')}.tar"
    private_subfolder(folder)
    require_private_file(path)
    if path.exists():
        return path
    docker = Docker(str(socket))
    try:
        if docker.image_id(build.reference) is None:
            listen(ImageWork(build.reference, "is built; this takes a minute, once"))
            _build(docker, build)
        listen(ImageWork(build.reference, "is saved as an archive for the hosts"))
        save_archive(docker, build.reference, path)
    except AgentError as error:
        raise StepError(error.what, where=str(socket), hint=error.hint) from error
    return path


def save_archive(docker: Docker, reference: str, path: Path) -> None:
    """Write an image of the engine as an archive, at once and whole; AgentError otherwise."""
    temporary = path.with_suffix(".new")
    docker.download(f"/images/{quote(reference)}/get", str(temporary))
    _require_whole(temporary)
    temporary.replace(path)


def _require_whole(path: Path) -> None:
    """Docker sends no length: that an archive is whole shows in the empty blocks at its end."""
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - _TAR_END))
        whole = size >= _TAR_END and not stream.read().strip(b"\0")
    if not whole:
        raise AgentError("the image's archive was cut off on its way", "run the command again")


def _build(docker: Docker, build: ImageBuild) -> None:
    arguments = quote(json.dumps(dict(build.arguments)))
    answer = docker.upload(
        f"/build?t={quote(build.reference)}&networkmode=host&rm=1&forcerm=1&buildargs={arguments}",
        [_context(build)],
        "application/x-tar",
        timeout=_BUILD_TIMEOUT,
    )
    lines = [json.loads(line) for line in answer.splitlines() if line.strip()]
    errors = [line["error"] for line in lines if "error" in line]
    if errors:
        said = "".join(line.get("stream", "") for line in lines).strip().splitlines()[-8:]
        raise AgentError(f"{build.reference} cannot be built: {errors[0]}", "\n    ".join(said))


def _context(build: ImageBuild) -> bytes:
    """Return the build context as a tar with fixed times, so that Docker's cache can work."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in sorted(build.context):
            entry = tarfile.TarInfo(name)
            entry.size = len(build.context[name])
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(build.context[name]))
    return buffer.getvalue()

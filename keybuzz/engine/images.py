"""Images that kbz builds itself: once, on the site's builder, kept as an archive and handed to the hosts."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from keybuzz.agent.docker import Docker, quote
from keybuzz.agent.errors import AgentError
from keybuzz.engine.events import ImageWork, Listener
from keybuzz.model.errors import StepError
from keybuzz.site.module import ImageBuild

_BUILD_TIMEOUT = 900.0


def archive_of(build: ImageBuild, socket: Path, folder: Path, listen: Listener) -> Path:
    """Return the archive of an image, building it first when nobody has yet.

    The reference is made from the content of the build, so that an archive of that name is the image.
    """
    path = folder / f"{build.reference.replace('/', '_').replace(':', '_')}.tar"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    docker = Docker(str(socket))
    try:
        if docker.image_id(build.reference) is None:
            listen(ImageWork(build.reference, "is built; this takes a minute, once"))
            _build(docker, build)
        listen(ImageWork(build.reference, "is saved as an archive for the hosts"))
        temporary = path.with_suffix(".new")
        docker.download(f"/images/{quote(build.reference)}/get", str(temporary))
        temporary.replace(path)
    except AgentError as error:
        raise StepError(error.what, where=str(socket), hint=error.hint) from error
    return path


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
        raise AgentError(f"{build.reference} can not be built: {errors[0]}", "\n    ".join(said))


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

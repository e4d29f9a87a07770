"""What the controller must have for MinIO: mc, and its one alias (MIN-5). Pure."""

from __future__ import annotations

from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Artefact, Directory
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.minio.service.resources import MinioLogin
from tasks.minio_client import parameters, values

LOGIN = "minio-client.login"
"""Name of the reading: a request that is signed with the alias' credentials, sent to the entry."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of the controller; nothing on a site without MinIO."""
    del server
    entered = values.entry(site)
    if entered is None:
        return Description(())
    return Description(
        (
            Directory(values.FOLDER, mode=0o700),
            values.alias(site, entered),
            *_program(site),
        ),
        (MinioLogin(LOGIN, values.access(site, entered)),),
    )


def _program(site: Site) -> tuple[Resource, ...]:
    """Return mc, where versions.yaml pins it: a file that could be any is never placed."""
    pinned = site.binaries.get("mc")
    if pinned is None or not pinned.digest:
        return ()
    folder = site.root / parameters.ARTEFACTS.of(site)
    return (Artefact(values.PROGRAM, pinned.digest, folder / "mc"),)

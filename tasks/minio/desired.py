"""What a MinIO node must be (module 6: MIN-1 to MIN-5). Pure."""

from __future__ import annotations

from keybuzz.model.core.reading import ContainerLog, HttpGet, Reading, TcpPorts
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import Directory
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.minio import applications, values
from tasks.minio.formats import FORMATS
from tasks.minio.leftovers import LEFTOVERS
from tasks.minio.service.resources import PORT, MinioAliases, MinioBucket, MinioDrive, MinioLook


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node; all three are alike, whoever is the entry."""
    return Description(
        (
            MinioDrive(
                values.DATA, values.must_be_mount(site), FORMATS.loaded(site.image("minio"))
            ),
            MinioAliases(values.ALIASES, values.ALIAS, values.url(site)),
            Directory(values.ROOT),
            Directory(values.DATA, mode=0o750),
            Image(site.image("minio")),
            values.container(site, server),
            *LEFTOVERS,
        ),
        _readings(site, server),
        (
            MinioBucket(values.access(site, server), values.bucket(site)),
            *applications.resources(site, values.access(site, server)),
        ),
    )


def _readings(site: Site, server: Server) -> tuple[Reading, ...]:
    health = f"http://{values.node_of(server)}/minio/health"
    return (
        HttpGet("minio.live", f"{health}/live"),
        HttpGet("minio.cluster", f"{health}/cluster"),
        HttpGet("minio.console", f"http://{server.address}:{values.CONSOLE_PORT}/"),
        MinioLook("minio.node", values.access(site, server)),
        TcpPorts("minio.ports", (PORT, values.CONSOLE_PORT)),
        ContainerLog("minio.log", values.CONTAINER, 1),
    )

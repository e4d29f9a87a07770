"""What the node of Qdrant must be. Pure."""

from __future__ import annotations

from keybuzz.model.core.reading import DirectoryListing
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import Directory
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.qdrant import values
from tasks.qdrant.readings import QdrantLook

NODE, DATA = "qdrant.node", "qdrant.data"
"""Names of the readings."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of the one node."""
    values.node(site)
    return Description(
        (
            Directory(values.ROOT),
            Directory(values.STORAGE, values.UID, values.UID, 0o750),
            Directory(values.SNAPSHOTS, values.UID, values.UID, 0o750),
            Image(site.image(values.IMAGE)),
            values.container(site, server),
        ),
        (look(site, server, NODE), DirectoryListing(DATA, values.STORAGE)),
    )


def look(site: Site, server: Server, name: str) -> QdrantLook:
    """Return the question to the node, with the key of the store."""
    key = site.secret("QDRANT_API_KEY")
    return QdrantLook(name, str(server.address), values.HTTP_PORT, key)

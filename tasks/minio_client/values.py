"""The settled values of MIN-5, typed: the alias, where mc keeps it, and where it leads."""

from __future__ import annotations

from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.uses import endpoints_of
from keybuzz.site.applications.variables import Endpoint
from keybuzz.site.site import Site
from tasks.minio.service.offer import KEY
from tasks.minio.service.resources import PORT, MinioAccess
from tasks.minio_client.alias import MinioAlias

GROUP = "controller"
NODES = "minio"
PROGRAM = "/usr/local/bin/mc"
FOLDER = "/root/.mc"
CONFIG = f"{FOLDER}/config.json"
ALIAS = "minio"


def entry(site: Site) -> Endpoint | None:
    """Return the one entry point of MinIO; None on a site without MinIO."""
    return endpoints_of(site.servers, site.catalogue).get((KEY, PORT))


def access(site: Site, entered: Endpoint) -> MinioAccess:
    """Return how the controller comes in, as the root user of the store."""
    user, password = site.secret("MINIO_ROOT_USER"), site.secret("MINIO_ROOT_PASSWORD")
    return MinioAccess(entered.host, user.reveal(), password, entered.port)


def alias(site: Site, entered: Endpoint) -> MinioAlias:
    """Return the alias that the owner's notes want."""
    own = access(site, entered)
    return MinioAlias(CONFIG, ALIAS, f"http://{entered}", own.user, own.password, ways_in(site))


def ways_in(site: Site) -> tuple[str, ...]:
    """Return every address and name that leads to this MinIO: its nodes', and those of the load balancers."""
    nodes = [
        word for server in _nodes(site) for word in (str(server.address), server.name, server.fqdn)
    ]
    balancers = [str(entry.address) for entry in site.catalogue.virtual_addresses]
    return tuple(dict.fromkeys(word for word in (*nodes, *balancers) if word))


def _nodes(site: Site) -> tuple[Server, ...]:
    return site.members(NODES)

"""The values of Qdrant that description, checks, rollout and drill share."""

from __future__ import annotations

from keybuzz.model.core.errors import InputError
from keybuzz.model.host.docker import Bind, Container
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site

GROUP = "qdrant"
CONTAINER = "qdrant"
IMAGE = "qdrant"
"""Its name in versions.yaml."""
HTTP_PORT, GRPC_PORT = 6333, 6334
ROOT = "/opt/keybuzz/qdrant"
STORAGE, SNAPSHOTS = f"{ROOT}/storage", f"{ROOT}/snapshots"
INSIDE = "/qdrant"
"""Working directory of the image: storage and snapshots are below it by default."""
UID = 1000
"""The user of the image's `unprivileged` form."""
STOP_TIMEOUT = 60
"""Seconds in which it writes what it holds in memory."""


def node(site: Site) -> Server:
    """Return the one node; InputError when the group has another number of servers."""
    found = site.members(GROUP)
    if len(found) != 1:
        raise InputError(
            f"Qdrant has exactly one node here, and the group {GROUP} has {len(found)}",
            where="groups.yaml",
            hint="a cluster of Qdrant is another module: its nodes need each other's addresses",
        )
    return found[0]


def container(site: Site, server: Server) -> Container:
    """Return the container: on the private address only, with an API key, and silent towards its makers."""
    return Container(
        CONTAINER,
        site.image(IMAGE),
        environment=(
            ("QDRANT__SERVICE__HOST", str(server.address)),
            ("QDRANT__SERVICE__API_KEY", site.secret("QDRANT_API_KEY")),
            ("QDRANT__TELEMETRY_DISABLED", "true"),
        ),
        binds=(Bind(STORAGE, f"{INSIDE}/storage"), Bind(SNAPSHOTS, f"{INSIDE}/snapshots")),
        hostname=server.name,
        user=f"{UID}:{UID}",
        stop_timeout=STOP_TIMEOUT,
    )

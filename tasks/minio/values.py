"""The settled values of facts/06, typed: what description, rollout, checks and drill share."""

from __future__ import annotations

import re

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Bind, Container
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import DRILL_PLACE
from keybuzz.site.site import Site
from tasks.minio import parameters
from tasks.minio.service.resources import PORT, MinioAccess

GROUP = "minio"
CONTAINER = "minio"
NODES = 3
"""MIN-1: exactly three, and no erasure set of another size is ever made or joined."""
QUORUM = 2
"""Drives that a write and a read need: one of three may be away."""
ENTRY = "minio-01"
"""The one entry point is this node (MIN-5)."""
ROOT = "/opt/keybuzz/minio"
DATA = f"{ROOT}/data"
INSIDE = "/data"
CONSOLE_PORT = 9001
DRILL_BUCKET = DRILL_PLACE.replace("_", "-")
"""The drill's own (tasks.minio.drill.client)."""
ALIAS = "minio"
ALIASES = "/root/.mc/config.json"
STOP_TIMEOUT = 60
"""Seconds in which requests on their way end."""
_SHORTEST_PASSWORD = 8
"""Characters: MinIO refuses to start with fewer."""
_USER = re.compile(r"[A-Za-z0-9_-]{3,}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def members(site: Site) -> tuple[Server, ...]:
    """Return the three nodes, by name; InputError for any other number (MIN-1)."""
    found = site.members(GROUP)
    if len(found) != NODES:
        raise InputError(
            f"MinIO has exactly {NODES} nodes (MIN-1), and the group has {len(found)}",
            where="servers.tsv",
            hint="an erasure set never grows or shrinks: the owner decides about another cluster",
        )
    return found


def node_of(server: Server) -> str:
    """Return host:port of a node, as MinIO names it."""
    return f"{server.address}:{PORT}"


def drives(site: Site) -> tuple[str, ...]:
    """Return the URLs of all drives: the same list, in the same order, on every node and for ever."""
    return tuple(f"http://{node_of(server)}{INSIDE}" for server in members(site))


def entry(site: Site) -> Server:
    """Return the node that clients reach (MIN-5)."""
    found = members(site)
    return next((server for server in found if server.name == ENTRY), found[0])


def url(site: Site) -> str:
    """Return the official entry point."""
    return f"http://{node_of(entry(site))}"


def access(site: Site, server: Server) -> MinioAccess:
    """Return how a node is reached; InputError for credentials that MinIO does not start with."""
    user = site.secret("MINIO_ROOT_USER").reveal()
    if not _USER.fullmatch(user):
        raise _wrong("MINIO_ROOT_USER", "must be 3 or more letters, digits, `_` or `-`")
    return MinioAccess(str(server.address), user, _password(site))


def _password(site: Site) -> Secret:
    return long_enough(site.secret("MINIO_ROOT_PASSWORD"))


def long_enough(found: Secret) -> Secret:
    """Return a password of MinIO; InputError for one that it does not take."""
    if len(found.reveal()) < _SHORTEST_PASSWORD:
        raise _wrong(found.name, f"must have at least {_SHORTEST_PASSWORD} characters")
    return found


def bucket(site: Site) -> str:
    """Return the bucket of the backups; InputError for a name that S3 does not take."""
    found = site.secret("MINIO_BUCKET").reveal()
    if not _BUCKET.fullmatch(found):
        raise _wrong("MINIO_BUCKET", "must be 3 to 63 small letters, digits or `-`")
    return found


def must_be_mount(site: Site) -> bool:
    """Return whether the data must lie on a volume of its own."""
    return parameters.DATA_MUST_BE_MOUNT.of(site)


def command(site: Site, server: Server) -> tuple[str, ...]:
    """Return the arguments: drives in their order, and listeners on the private address only (MIN-4).

    The addresses stand here and not in MINIO_ADDRESS: nodes compare their MINIO_* variables and wait for ever
    when they differ.
    """
    return (
        "server",
        *drives(site),
        "--address",
        node_of(server),
        "--console-address",
        f"{server.address}:{CONSOLE_PORT}",
    )


def drives_in(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the drives of a container's arguments, in their order."""
    return tuple(word for word in words if "/" in word)


def container(site: Site, server: Server) -> Container:
    """Return the container; the image's own user is root, and so is the owner of its data."""
    reached = access(site, server)
    return Container(
        CONTAINER,
        site.image("minio"),
        command=command(site, server),
        environment=(
            ("MINIO_ROOT_USER", reached.user),
            ("MINIO_ROOT_PASSWORD", reached.password),
        ),
        binds=(Bind(DATA, INSIDE),),
        hostname=server.name,
        stop_timeout=STOP_TIMEOUT,
    )


def _wrong(name: str, why: str) -> InputError:
    return InputError(f"{name} {why}", where="minio.env", hint="choose another one")

"""Whose drives and whose cluster these are: what forbids every step (MIN-1, MIN-2, MIN-3, MIN-5). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from tasks.minio import values
from tasks.minio.formats import FORMATS
from tasks.minio.members import DRIVE_ID, Node, described, nodes
from tasks.minio.service.resources import MinioAliases, MinioDrive

NO_WIPE = "nothing was written; kbz never formats, empties or moves a drive"


def refuse_foreign(live: Live) -> None:
    """Raise RefusedError for a drive, an argument list, an image or an alias that is not this cluster's."""
    for change in live.changes():
        if isinstance(change.resource, MinioDrive):
            raise _drive(live, change.host, change.reason)
        if isinstance(change.resource, MinioAliases):
            raise RefusedError(
                change.reason or f"mc knows MinIO by another name: {_others(live, change.host)}",
                where=change.host,
                hint=f"MinIO has one alias, {values.ALIAS}, at its one entry point (MIN-5): mc alias rm the others",
            )
    if wrong := next(foreign_sets(live), ""):
        raise RefusedError(
            wrong, where="minio", hint=f"{NO_WIPE}; the owner decides whose data stays"
        )
    for host, node in nodes(live).items():
        if node.denied and host in live.selected:
            raise RefusedError(
                "MinIO does not take the root user and password of minio.env",
                where=host,
                hint="nothing was written; kbz adopt minio --take-credentials finds the live ones for minio.env",
            )
    _refuse_another_cluster(live)


def _drive(live: Live, host: str, reason: str) -> RefusedError:
    view = live.hosts[host]
    if reason:
        return RefusedError(f"{values.DATA} cannot be read: {reason}", where=host, hint=NO_WIPE)
    if view.attribute(DRIVE_ID, "usable") is not True:
        found = view.attribute(DRIVE_ID, "found")
        if newer := _not_loaded(live, host):
            return RefusedError(
                f"{values.DATA} holds {found}, which the frozen image does not load",
                where=host,
                hint=f"{NO_WIPE}; {FORMATS.way_out(newer)}",
            )
        return RefusedError(
            f"{values.DATA} is neither empty nor a drive of MinIO: it holds {found}",
            where=host,
            hint=f"move it away, or mount the volume that belongs there; {NO_WIPE}",
        )
    return RefusedError(
        f"{values.DATA} is not a mounted volume: what MinIO writes would go to the root disk",
        where=host,
        hint=f"mount the volume there and run again (minio.data_must_be_mount); {NO_WIPE}",
    )


def _not_loaded(live: Live, host: str) -> str:
    """Return the version of a drive's format.json that the described image does not load; empty for any other."""
    view = live.hosts[host]
    said = view.attribute(DRIVE_ID, "format")
    loaded = {f for r in view.resources if isinstance(r, MinioDrive) for f in r.formats}
    return said if isinstance(said, str) and said and said not in loaded else ""


def _others(live: Live, host: str) -> str:
    others = live.hosts[host].attribute(f"minio-aliases:{values.ALIASES}", "others")
    return ", ".join(others) if isinstance(others, tuple) else ""


def foreign_sets(live: Live) -> Iterator[str]:
    """Yield why the drives are not one set of three, each at its own place; nothing when they are, or are empty."""
    formatted = [node for node in nodes(live).values() if node.formatted]
    order = [server.name for server in live.members]
    deployments = Counter(node.deployment for node in formatted)
    if len(deployments) > 1:
        rare = deployments.most_common()[-1][0]
        hosts = ", ".join(node.host for node in formatted if node.deployment == rare)
        yield f"the drive of {hosts} belongs to another deployment ({rare}) than the others"
    for node in formatted:
        if node.size != values.NODES:
            yield f"the drive of {node.host} belongs to a set of {node.size} drives, and MinIO has {values.NODES}"
        elif node.place != order.index(node.host) + 1:
            yield (
                f"the drive of {node.host} is number {node.place} of its set, and its node is number "
                + str(order.index(node.host) + 1)
            )


def _refuse_another_cluster(live: Live) -> None:
    """A list of drives, its order and the version are a cluster's identity: kbz repairs one node, and never all."""
    found = [node for node in nodes(live).values() if node.present]
    if not found:
        return
    for what, own, wanted in (_drives(live, found), _images(live, found)):
        if own and not any(node == wanted[host] for host, node in own.items()):
            host = next(iter(own))
            raise RefusedError(
                f"the cluster was made with {what} {own[host]}, and {wanted[host]} is described",
                where=host,
                hint="neither is changed on a cluster that is there: put back what it has, or let the owner decide "
                "(a release: versions.yaml, as minio)",
            )


_Identity = tuple[str, dict[str, str], dict[str, str]]


def _drives(live: Live, found: list[Node]) -> _Identity:
    own = {node.host: " ".join(values.drives_in(node.command)) for node in found}
    wanted = {n.host: " ".join(values.drives_in(described(live, n.host).command)) for n in found}
    return "the drives", own, wanted


def _images(live: Live, found: list[Node]) -> _Identity:
    """By its own word a node may run the described release under another name, such as `latest`."""
    wanted = {node.host: described(live, node.host).image for node in found}
    own = {
        node.host: wanted[node.host] if _runs(node, wanted[node.host]) else _named(node)
        for node in found
    }
    return "the image", own, wanted


def _runs(node: Node, image: str) -> bool:
    """Return whether a node says that it is the release that an image's tag names: 2024-10-02T17:50:41Z."""
    told = "".join(filter(str.isdigit, node.version))
    return bool(told) and told == "".join(filter(str.isdigit, image.rpartition(":")[2]))


def _named(node: Node) -> str:
    return f"{node.image}, which is {node.version}," if node.version else node.image

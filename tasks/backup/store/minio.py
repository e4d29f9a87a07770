"""MinIO in the repository: every bucket, with all versions of its objects. Pure.

Accounts and policies of MinIO are in no backup: kbz makes those that are described.
"""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.inventory.server import Server
from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.site import Site
from tasks.backup.store import places
from tasks.backup.store.service import Source, Stored
from tasks.minio.service.resources import PORT, MinioAccess, MinioAnswer, MinioLook

_GROUP = "minio"
_LONG = 24 * 3600.0


def ask(site: Site) -> tuple[Reading, ...]:
    """Return the question to each node of which deployment it is."""
    return tuple(
        MinioLook(
            _question(server),
            MinioAccess(
                str(server.address),
                site.secret("MINIO_ROOT_USER").reveal(),
                site.secret("MINIO_ROOT_PASSWORD"),
            ),
        )
        for server in site.members(_GROUP)
    )


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return the first node that serves: each gives the objects of all."""
    name = cluster(site, answers)
    told = {server.name: _deployment(answers, server) for server in site.members(_GROUP)}
    fit = [server for server in site.members(_GROUP) if name and told[server.name][0] == name]
    if not fit:
        why = "; ".join(f"{host}: {found or why}" for host, (found, why) in told.items())
        raise RefusedError(
            f"no node of MinIO can be the source: {why}",
            where="minio",
            hint=proposed("kbz", "health", "minio"),
        )
    return Source(fit[0].name, str(fit[0].address), name)


def cluster(site: Site, answers: Mapping[str, Answer]) -> str:
    """Return the id of the deployment; empty when no node tells it, or not the same."""
    told = {_deployment(answers, server)[0] for server in site.members(_GROUP)} - {""}
    return told.pop() if len(told) == 1 else ""


def _question(server: Server) -> str:
    return f"backup.minio.{server.name}"


def _deployment(answers: Mapping[str, Answer], server: Server) -> tuple[str, str]:
    """Return the deployment of a node that serves, or why it does not."""
    answer = answers.get(_question(server))
    if answer is None or not answer.known:
        return "", answer.problem if answer else "was not asked"
    found: MinioAnswer = answer.value
    if found["denied"]:
        return "", "it does not let kbz in"
    if found["frozen"] or found["slow"]:
        return "", "it holds requests back"
    return found["deployment"], "it does not say of which deployment it is"


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how a node gives every version of every object."""
    del image
    user, password = site.secret("MINIO_ROOT_USER"), site.secret("MINIO_ROOT_PASSWORD")
    login = f"{user.reveal()}:{password.reveal()}"
    words = ("take", folder, source.address, str(PORT))
    name = f"every object of {source.host}"
    return (places.program(name, "objects", login, *words, seconds=_LONG),)


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return the reading of every content, by its checksum and MinIO's own ETag."""
    del image
    return (places.program("read every object", "objects", "", "prove", folder, seconds=_LONG),)


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return what lays the program down that puts the objects into empty buckets."""
    del image
    path = f"{place.folder}/{PROGRAM}"
    words = ("install", "-m", "700", "/dev/stdin", path)
    return (
        Work(
            "lay the program for empty buckets next to it",
            words,
            60.0,
            stdin=places.source("objects"),
        ),
    )


PROGRAM = "objects.py"
"""In a restored folder."""


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    return ("cat", f"{place.folder}/kbz.counts.json")


MINIO = Stored(
    service="minio",
    name=lambda site: site.secret("MINIO_BUCKET").reveal(),
    image="",
    ask=ask,
    cluster=cluster,
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
    container=False,
)

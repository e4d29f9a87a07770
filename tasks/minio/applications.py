"""The buckets of applications in MinIO, and buckets that no file describes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.inventory.server import Server
from keybuzz.model.services.minio import MinioAccess, MinioBucket, MinioBuckets
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.minio import values

_READING = "minio.inside"


def resources(site: Site, access: MinioAccess) -> tuple[Resource, ...]:
    """Return the buckets. Whether they keep versions is the application's own to set."""
    return tuple(
        MinioBucket(access, item.name, versioned=False, application=application.name)
        for application, item in site.applications.buckets()
    )


def _ask(site: Site, server: Server) -> tuple[MinioBuckets, ...]:
    return (MinioBuckets(_READING, values.access(site, server)),)


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    if answer is None or not answer.known:
        return None
    known = {values.bucket(site), values.DRILL_BUCKET}
    known |= {item.name for _, item in site.applications.buckets()}
    return {f"bucket:{name}": "bucket" for name in answer.value["buckets"] if name not in known}


INSIDE = Inside(("bucket",), _ask, _undescribed)

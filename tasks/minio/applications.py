"""What applications have in MinIO: buckets, and a user for them; and what no file describes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Inside
from keybuzz.site.site import Site
from tasks.minio import values
from tasks.minio.service.offer import ACCOUNTS, Bucket, store_user
from tasks.minio.service.resources import (
    MinioAccess,
    MinioBucket,
    MinioBuckets,
    MinioNoUser,
    MinioUser,
)

_READING = "minio.inside"


def resources(site: Site, access: MinioAccess) -> tuple[Resource, ...]:
    """Return the buckets, then their users. Whether a bucket keeps versions is the application's own to set."""
    described = tuple(
        MinioBucket(access, item.name, versioned=False, application=application.name)
        for application, item in site.applications.parts(Bucket)
    )
    users = tuple(
        MinioUser(
            access,
            store_user(item.name),
            password(site, store_user(item.name)),
            tuple(bucket.name for bucket in buckets),
            item.name,
        )
        for item in site.applications.items
        if (buckets := item.parts(Bucket))
    )
    return (*described, *users)


def password(site: Site, user: str) -> Secret:
    """Return the secret key of an application's user; InputError for one that MinIO does not take."""
    return values.long_enough(site.secret(ACCOUNTS.credential(user).name))


def _ask(site: Site, server: Server) -> tuple[MinioBuckets, ...]:
    return (MinioBuckets(_READING, values.access(site, server)),)


def _undescribed(site: Site, answers: Mapping[str, Answer]) -> dict[str, str] | None:
    answer = answers.get(_READING)
    if answer is None or not answer.known:
        return None
    known = {values.bucket(site), values.DRILL_BUCKET}
    known |= {item.name for _, item in site.applications.parts(Bucket)}
    users = {item.user for _, item in site.applications.parts(Bucket)}
    return {
        **{f"bucket:{name}": "bucket" for name in answer.value["buckets"] if name not in known},
        **{f"user:{name}": "user of MinIO" for name in answer.value["users"] if name not in users},
    }


def _removed(site: Site, server: Server, name: str) -> MinioNoUser:
    return MinioNoUser(values.access(site, server), name)


INSIDE = Inside(("user", "bucket"), _ask, _undescribed, account="user", removed=_removed)

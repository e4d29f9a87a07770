"""What an application can have in MinIO: buckets, and one user for them, who is called after it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Part
from keybuzz.site.applications.names import NameKind
from keybuzz.site.applications.offer import Offer
from keybuzz.site.applications.reader import PartReader
from keybuzz.site.applications.variables import Endpoint, Password, Plain, Variable, prefix
from keybuzz.site.credentials.accounts import AccountKind
from keybuzz.site.files.yaml_tree import Listing, Scalar, Tree

KEY = "buckets"
PORT = 9000
"""Of the endpoint, which is a node (MIN-5)."""
ACCOUNTS = AccountKind("minio", "minio.env", "MINIO_USER_", ("minio",))
_SHORTEST_USER = 3
"""Characters: MinIO takes no access key that is shorter."""
_BUCKET = NameKind(
    "bucket",
    re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    "3 to 63 small letters, digits and -",
    once=True,
)


@dataclass(frozen=True, slots=True)
class Bucket(Part):
    """A bucket of one application."""


def store_user(application: str) -> str:
    """Return the user of an application's buckets."""
    return application.replace("-", "_")


def _read(reader: PartReader, tree: Tree, owner: str) -> tuple[Bucket, ...]:
    items = reader.items(tree, f"buckets of {owner}")
    if isinstance(tree, Listing) and not items:
        what = f"buckets of {owner} is empty"
        reader.problems.add(
            tree.line, what, "name its buckets: [shop-files], or leave the line out"
        )
    names = [Scalar(reader.text(item, "a bucket"), item.line) for item in items]
    if names and len(owner) < _SHORTEST_USER:
        what = f"{owner} is too short for a user of MinIO, who is called after the application"
        reader.problems.add(tree.line, what, "name the application by three letters or more")
    return tuple(
        Bucket(reader.take(_BUCKET, name, owner), store_user(owner), line=name.line)
        for name in names
    )


def _variables(
    application: Application, endpoints: Mapping[int, Endpoint], credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    del credentials  # it uses none of the platform's accounts
    user = store_user(application.name)
    yield Plain("S3_ENDPOINT", f"http://{endpoints[PORT]}")
    yield Plain("S3_ACCESS_KEY_ID", user)
    yield Password("S3_SECRET_ACCESS_KEY", ACCOUNTS.credential(user).name)
    for number, bucket in enumerate(application.parts(Bucket)):
        yield Plain(f"{prefix(number, bucket.name)}S3_BUCKET", bucket.name)


OFFER = Offer(
    KEY,
    _read,
    _variables,
    ACCOUNTS,
    taken=frozenset({"keybuzz-backups"}),
    platform_names=("MINIO_BUCKET",),
    platform_users=("MINIO_ROOT_USER",),
)

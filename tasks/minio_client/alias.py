"""The one alias of mc, as a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret


@dataclass(frozen=True, slots=True)
class MinioAlias(Resource):
    """The one alias of mc for this MinIO (MIN-5), in mc's own file, mode 0600; other aliases there are kept."""

    kind: ClassVar[str] = "minio-alias"
    path: str
    alias: str
    url: str
    user: str
    password: Secret
    nodes: tuple[str, ...]
    """Addresses and names that lead to this MinIO: another alias to one of them is a second way in."""

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"url": self.url, "credentials": True, "owner": 0, "group": 0, "mode": "0600"}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "alias": self.alias,
            "url": self.url,
            "user": self.user,
            "password": self.password.reveal(),
            "nodes": list(self.nodes),
        }

    def order(self) -> Json:
        return self.query()

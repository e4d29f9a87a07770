"""Resources of MinIO: the identity of a drive, aliases of mc, and the bucket inside the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret

PORT = 9000


class MinioAnswer(TypedDict):
    """Of MinioLook: nodes are host:port."""

    denied: bool
    deployment: str
    servers: dict[str, str]
    drives: dict[str, str]
    healing: list[str]
    sets: list[int]
    parity: int
    version: str
    frozen: bool
    """Requests of S3 are held back by `mc admin service freeze`."""
    slow: bool
    """Requests of S3 are not answered in time, and no freeze holds them back."""


@dataclass(frozen=True, slots=True)
class MinioAccess:
    """How the agent reaches the node of its own host, as the root user."""

    address: str
    user: str
    password: Secret
    port: int = PORT

    def order(self) -> Json:
        """Return the agent's part of a query, which holds the password."""
        return {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
        }


@dataclass(frozen=True, slots=True)
class MinioLook(Looks):
    """A reading: what a node says of the cluster (`mc admin info`) (fields: tasks.minio.agent.look)."""

    answers: ClassVar[type] = MinioAnswer
    name: str
    access: MinioAccess

    def query(self) -> Json:
        """Return the agent's frame, which holds the password: only for a host of the cluster."""
        return {"kind": "minio", "name": self.name, "access": self.access.order()}


class BucketsAnswer(TypedDict):
    """Of MinioBuckets."""

    buckets: list[str]
    users: list[str]


@dataclass(frozen=True, slots=True)
class MinioBuckets(Looks):
    """A reading: the names of all buckets, and of all users but root."""

    answers: ClassVar[type] = BucketsAnswer

    name: str
    access: MinioAccess

    def query(self) -> Json:
        """Return the agent's frame, which holds the password: only for a host of the cluster."""
        return {"kind": "minio-buckets", "name": self.name, "access": self.access.order()}


@dataclass(frozen=True, slots=True)
class MinioDrive(Resource):
    """What lies on a drive. Compared and never written: it is empty, or MinIO's own, or the run is refused."""

    kind: ClassVar[str] = "minio-drive"
    path: str
    mount: bool
    """Whether it must be a volume of its own: an unmounted one is an empty folder of the root disk."""
    formats: tuple[str, ...]
    """Versions of format.json that the frozen image loads: of the file, its kind, and of the kind."""

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"usable": True, **({"mounted": True} if self.mount else {})}

    def query(self) -> Json:
        return {**Resource.query(self), "formats": list(self.formats)}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class MinioAliases(Resource):
    """Aliases in the configuration of mc. Compared and never written: MinIO has one, at its one entry point (MIN-5)."""

    kind: ClassVar[str] = "minio-aliases"
    path: str
    alias: str
    url: str

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"others": ()}

    def query(self) -> Json:
        return {**Resource.query(self), "alias": self.alias, "url": self.url}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class MinioBucket(Resource):
    """A bucket; created when it is absent, and never removed."""

    kind: ClassVar[str] = "minio-bucket"
    access: MinioAccess
    bucket: str
    versioned: bool = True
    """True when it must keep every version; else that is its application's own to set."""
    application: str = ""

    @property
    def name(self) -> str:
        return self.bucket

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"versioning": "Enabled"} if self.versioned else {}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order()}

    def order(self) -> Json:
        return {**self.query(), **({} if self.versioned else {"versioned": False})}


@dataclass(frozen=True, slots=True)
class MinioUser(Resource):
    """A user of an application, with one policy: its own buckets, and no others."""

    kind: ClassVar[str] = "minio-user"
    credential_proofs: ClassVar[tuple[str, ...]] = ("logs_in",)
    access: MinioAccess
    user: str
    password: Secret
    buckets: tuple[str, ...]
    application: str = ""

    @property
    def name(self) -> str:
        return self.user

    @property
    def credential(self) -> Secret:
        return self.password

    @property
    def policy(self) -> str:
        """Name of its policy."""
        return f"{self.user}-buckets"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "enabled": True,
            "logs_in": True,
            "policies": (self.policy,),
            "buckets": self.buckets,
        }

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "access": self.access.order(),
            "password": self.password.reveal(),
            "policy": self.policy,
            "buckets": list(self.buckets),
        }

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class MinioNoUser(Resource):
    """A user that must not be there."""

    kind: ClassVar[str] = "minio-no-user"
    access: MinioAccess
    user: str

    @property
    def name(self) -> str:
        return self.user

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order()}

    def order(self) -> Json:
        return self.query()


class MinioLoginAnswer(TypedDict):
    """Of MinioLogin."""

    accepted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class MinioLogin(Looks):
    """A reading: whether a node takes the signature of a user."""

    answers: ClassVar[type] = MinioLoginAnswer
    name: str
    access: MinioAccess
    """With the user's own name and password."""

    def query(self) -> Json:
        """Return the agent's frame, which holds the password."""
        return {"kind": "minio-login", "name": self.name, "access": self.access.order()}

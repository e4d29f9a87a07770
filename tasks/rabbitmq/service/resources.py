"""Resources of RabbitMQ: who is member of the cluster, who may log in, and where quorum queues have replicas.

Nodes are read over the management API on their own private address. Only a node that does not know our user, which is
a fresh one, is asked by `rabbitmqctl` in its container. Passwords go over the API or on stdin, never as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret

MANAGEMENT_PORT = 15672


class RabbitmqAnswer(TypedDict):
    """Of RabbitmqLook."""

    denied: bool
    members: list[str]
    running: list[str]
    partitions: list[str]
    alarms: list[str]
    critical: list[str]
    users: dict[str, list[str]]
    queues: int
    lacking: list[str]
    apart: list[str]
    drained: list[str]
    classic: list[str]
    permitted: bool
    cluster_name: str
    version: str
    listeners: list[str]


@dataclass(frozen=True, slots=True)
class RabbitmqAccess:
    """How the agent reaches the node of its own host."""

    node: str
    """Such as rabbit@queue-01."""
    address: str
    user: str
    password: Secret
    container: str
    port: int = MANAGEMENT_PORT

    def order(self) -> Json:
        """Return the agent's part of a query, which holds the password."""
        return {
            "node": self.node,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal(),
            "container": self.container,
        }


@dataclass(frozen=True, slots=True)
class RabbitmqLook(Looks):
    """A reading: what a node says about itself and its cluster (fields: tasks.rabbitmq.agent.look)."""

    answers: ClassVar[type] = RabbitmqAnswer
    name: str
    access: RabbitmqAccess

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "rabbitmq", "name": self.name, **_access(self.access)}


@dataclass(frozen=True, slots=True)
class RabbitmqData(Resource):
    """Feature flags of the data on disk. Compared and never written: data of a newer RabbitMQ refuses the run."""

    kind: ClassVar[str] = "rabbitmq-data"
    path: str
    """What the image mounts as its data."""
    newer: tuple[str, ...]
    """Flags that only series after the frozen image's know. Another one, such as a plugin's, proves nothing."""

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"newer": ()}

    def query(self) -> Json:
        return {**Resource.query(self), "newer": list(self.newer)}

    def order(self) -> Json:
        return self.query()


def _access(access: RabbitmqAccess) -> Json:
    return {"access": access.order()}


@dataclass(frozen=True, slots=True)
class RabbitmqMembership(Resource):
    """The members of the cluster that a node is in. Only a node that holds nothing ever joins another."""

    kind: ClassVar[str] = "rabbitmq-membership"
    access: RabbitmqAccess
    members: tuple[str, ...]
    """Names of all nodes, sorted."""
    join: str = ""
    """Node to join; the rollout decides."""

    @property
    def name(self) -> str:
        return self.access.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"members": self.members}

    def query(self) -> Json:
        return {**Resource.query(self), **_access(self.access)}

    def order(self) -> Json:
        return {**self.query(), "join": self.join}


@dataclass(frozen=True, slots=True)
class RabbitmqForgotten(Resource):
    """The wish that a cluster forgets a member whose host was replaced: its name is free for the new one."""

    kind: ClassVar[str] = "rabbitmq-forgotten"
    access: RabbitmqAccess
    """Of a running member."""
    node: str

    @property
    def name(self) -> str:
        return self.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"member": False}

    def query(self) -> Json:
        return {**Resource.query(self), **_access(self.access)}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class RabbitmqUser(Resource):
    """A user of the cluster, who administers it and may do everything in the vhost `/`."""

    kind: ClassVar[str] = "rabbitmq-user"
    credential_proofs: ClassVar[tuple[str, ...]] = ("password_matches",)
    access: RabbitmqAccess

    @property
    def name(self) -> str:
        return self.access.user

    @property
    def credential(self) -> Secret:
        return self.access.password

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"password_matches": True, "administrator": True, "permitted": True}

    def query(self) -> Json:
        return {**Resource.query(self), **_access(self.access)}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class RabbitmqNoUser(Resource):
    """A user that must not be there: `guest`, whose password everybody knows."""

    kind: ClassVar[str] = "rabbitmq-no-user"
    access: RabbitmqAccess
    user: str = "guest"

    @property
    def name(self) -> str:
        return self.user

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        return {**Resource.query(self), **_access(self.access)}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class RabbitmqReplicas(Resource):
    """A replica of every quorum queue on this node: a member that joined anew has none before it gets them."""

    kind: ClassVar[str] = "rabbitmq-replicas"
    access: RabbitmqAccess

    @property
    def name(self) -> str:
        return self.access.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"lacking": 0}

    def query(self) -> Json:
        return {**Resource.query(self), **_access(self.access)}

    def order(self) -> Json:
        return self.query()

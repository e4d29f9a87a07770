"""What kbz asks and changes inside a K3s cluster.

The agent asks the API of its own host (https://127.0.0.1:6443) with K3s' administrator certificate, which only root
can read there and which never leaves the host.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar, NotRequired, Self, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.content import Template
from keybuzz.model.core.resource import Attributes, Json, Resource, Templated
from keybuzz.model.core.secret import DigestKey, Secret

API_PORT = 6443


class K3sNodeAnswer(TypedDict):
    """One node, as the API tells of it."""

    name: str
    ready: str
    reason: str
    voter: bool
    server: bool
    etcd: bool
    cordoned: bool
    held: str
    version: str
    address: str
    flannel: str
    pods: str


class IngressAnswer(TypedDict, total=False):
    """The DaemonSet of the ingress; empty where there is none."""

    desired: int
    ready: int
    updated: int
    seen: bool
    host_network: bool
    image: str


class K3sAnswer(TypedDict):
    """Of K3sLook. Without a majority of the servers it is not ready, and the rest is empty."""

    ready: bool
    failed: list[str]
    authority: str
    nodes: list[K3sNodeAnswer]
    ingress: IngressAnswer
    version: NotRequired[str]
    dns: NotRequired[int]
    metrics: NotRequired[bool]


class PodNetworkAnswer(TypedDict):
    """Of PodNetwork."""

    vxlan: bool
    interface: str
    mtu: int
    interface_mtu: int
    routes: dict[str, str]


@dataclass(frozen=True, slots=True)
class K3sLook(Looks):
    """A reading: what the API of this server says of the cluster (fields: tasks.k3s.agent.api)."""

    answers: ClassVar[type] = K3sAnswer
    name: str
    daemonset: str
    """`namespace/name` of the ingress."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "k3s", "name": self.name, "daemonset": self.daemonset}


@dataclass(frozen=True, slots=True)
class PodNetwork(Looks):
    """A reading: whether each other node's pods can be reached from here, and what carries the way there.

    The answer is {"vxlan": bool, "interface", "mtu": int, "interface_mtu": int, "routes": {cidr: why not or ""}}.
    """

    answers: ClassVar[type] = PodNetworkAnswer
    name: str
    pods: str
    """The network of all pods."""
    port: int = 10250
    """A port that every node answers on, also on its address in the pods' network: the kubelet's."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "pod-network", "name": self.name, "pods": self.pods, "port": self.port}


@dataclass(frozen=True, slots=True)
class K3sToken(Resource):
    """The token of the live cluster. Compared and never written: a server with another one does not start again."""

    kind: ClassVar[str] = "k3s-token"
    credential_proofs: ClassVar[tuple[str, ...]] = ("token_matches",)
    token: Secret
    former: Secret | None = None
    """The token that a rotation is about to replace."""

    @property
    def credential(self) -> Secret:
        return self.token

    @property
    def name(self) -> str:
        return "live"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"token_matches": True}

    def query(self) -> Json:
        return {**Resource.query(self), "token": self.token.reveal()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class K3sTokenRotated(Resource):
    """The wish that the cluster has a new token: told to one master. No description holds it."""

    kind: ClassVar[str] = "k3s-token-rotated"
    token: Secret
    former: Secret | None = None
    """The token before: told again where K3s wrote the new one down and could not seal its data with it."""

    @property
    def name(self) -> str:
        return "live"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"token_matches": True}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "token": self.token.reveal(),
            "former": self.former.reveal() if self.former else "",
        }

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class K3sStart(Resource):
    """How K3s is started now. Described as steady; a first start and a join elsewhere are steps that leave nothing.

    Such a step lies in /run: another configuration, made from the steady one, and a drop-in that names it.
    """

    kind: ClassVar[str] = "k3s-start"
    unit: str
    command: str
    """server or agent."""
    by: str = ""
    """Empty: by its own configuration. `cluster-init`: as the first of a new cluster. Else the URL to join at."""

    @property
    def name(self) -> str:
        return self.unit

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"by": self.by}

    def order(self) -> Json:
        return {**self.query(), "command": self.command, "by": self.by}


@dataclass(frozen=True, slots=True)
class K3sManifest(Templated):
    """Objects of the cluster, applied by the API itself (server-side apply) and compared field by field."""

    kind: ClassVar[str] = "k3s-manifest"
    manifest: str
    objects: tuple[str, ...] = ()
    """Each as JSON; made of the template when that is rendered."""
    template: Template | None = None
    """A file of YAML documents."""

    @property
    def name(self) -> str:
        return self.manifest

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"differs": ()}

    def query(self) -> Json:
        return {**Resource.query(self), "objects": list(self.objects)}

    def made_of(self, text: str) -> Self:
        return replace(self, objects=_objects(text), template=None)

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class K3sForgotten(Resource):
    """The wish that the cluster knows no node of that name: its host holds nothing any more."""

    kind: ClassVar[str] = "k3s-forgotten"
    node: str

    @property
    def name(self) -> str:
        return self.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"known": False}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class K3sDrained(Resource):
    """The wish that a node takes no new pods and has none left but those of DaemonSets; marked as kbz's own."""

    kind: ClassVar[str] = "k3s-drained"
    node: str
    patience: float = 300.0
    """Seconds for its pods to go, as their disruption budgets allow."""

    @property
    def name(self) -> str:
        return self.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"drained": True}

    def order(self) -> Json:
        return {**self.query(), "patience": self.patience}


@dataclass(frozen=True, slots=True)
class K3sSchedulable(Resource):
    """A node that kbz itself has cordoned takes pods again; what a person has cordoned stays."""

    kind: ClassVar[str] = "k3s-schedulable"
    node: str

    @property
    def name(self) -> str:
        return self.node

    @property
    def about_member(self) -> str:
        return self.node

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"held": False}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class K3sSnapshot(Resource):
    """The wish that a snapshot of etcd was taken within the hour: before any change of a server."""

    kind: ClassVar[str] = "k3s-snapshot"
    snapshot: str
    """Begin of its name."""

    @property
    def name(self) -> str:
        return self.snapshot

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"taken": True}

    def order(self) -> Json:
        return self.query()


def _objects(text: str) -> tuple[str, ...]:
    """Return the documents of a YAML file, each as JSON with sorted keys."""
    from ruamel.yaml import YAML

    found = YAML(typ="safe").load_all(text)
    return tuple(json.dumps(item, sort_keys=True) for item in found if item is not None)

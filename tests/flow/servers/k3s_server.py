"""The API of the K3s stand-in, on a free port with real TLS and client certificates; and three stores without any."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from k3s_stand_in import api as api_module
from k3s_stand_in import builtin, controllers, pki, store, web

from keybuzz.agent.runtime.channel import Channel
from keybuzz.agent.runtime.context import Context
from tasks.k3s.agent import api as agent_k3s


@dataclass
class Served:
    """A running API, its store, and how the agent sees it."""

    store: Any
    controllers: Any

    def context(self) -> Context:
        return Context("00" * 32, Channel(0, 1))

    def put(self, kind: str, namespace: str, item: dict[str, Any]) -> None:
        def change(data: dict[str, Any]) -> None:
            key = api_module.key_of(kind, namespace, item["metadata"]["name"])
            api_module.put(data, key, item, namespace)

        self.store.write(change)

    def node(self, name: str, ready: str = "True") -> None:
        condition = {"type": "Ready", "status": ready, "reason": "told"}
        self.put(
            "nodes",
            "",
            {
                "kind": "Node",
                "metadata": {"name": name, "annotations": {}, "labels": {}},
                "spec": {"podCIDR": "10.42.7.0/24"},
                "status": {"conditions": [condition], "nodeInfo": {"kubeletVersion": "v1"}},
            },
        )

    def pod(self, name: str, node: str, owner: str) -> None:
        references = [{"kind": owner, "name": "x", "uid": "u"}]
        self.put(
            "pods",
            "default",
            {
                "kind": "Pod",
                "metadata": {"name": name, "ownerReferences": references, "labels": {}},
                "spec": {"nodeName": node, "containers": []},
                "status": {"phase": "Running", "conditions": []},
            },
        )

    def pods(self) -> set[str]:
        return {key.split("/")[2] for key in self.store.data["objects"] if key.startswith("pods/")}


def _alone(address: str) -> web.Client:
    raise AssertionError(f"a cluster of one server asks no other, such as {address}")


@contextmanager
def serving(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Run a cluster of one server; the agent's own paths lead to it."""
    tls = folder / "tls"
    patch.setattr(pki, "TLS", str(tls))
    patch.setattr(store, "FOLDER", str(folder / "etcd"))
    patch.setattr(store, "ELECTION", (0.0, 0.1))
    pki.make_authorities()
    pki.issue(f"{tls}/serving-kube-apiserver", "server", "/CN=api", ("127.0.0.1",))
    pki.issue(f"{tls}/client-admin", "client", "/O=system:masters/CN=system:admin")
    kept = store.Store("k8s-master-01", _alone)
    kept.found(builtin.new_cluster(etcd=True), "127.0.0.1")
    server = web.HttpsServer("127.0.0.1", 0, pki.serving_context(), api_module.Api(kept).answer)
    server.start()
    kept.start()
    patch.setattr(agent_k3s, "TLS", str(tls))
    patch.setattr(agent_k3s, "PORT", server.server_address[1])
    opened: list[Any] = []
    connect = agent_k3s.Api._connect

    def remembered(self: agent_k3s.Api) -> Any:
        opened.append(connect(self))
        return opened[-1]

    patch.setattr(agent_k3s.Api, "_connect", remembered)
    waited = threading.Event()
    while kept.role != "leader":
        waited.wait(0.02)
    try:
        yield Served(kept, controllers.Controllers(kept, 40.0))
    finally:
        kept.removed = True
        for connection in opened:
            connection.close()
        server.shutdown()
        server.server_close()


class Wire:
    """What stands between three stores: each may be cut off."""

    def __init__(self) -> None:
        self.stores: dict[str, Any] = {}
        self.cut: set[str] = set()

    def client(self, me: str, address: str) -> Any:
        wire = self

        class Peer:
            def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
                if {me, address} & wire.cut or address not in wire.stores:
                    raise web.UnreachableError("no route")
                peer = wire.stores[address]
                return 200, peer.vote(body) if path == "/peer/vote" else peer.append(body)

        return Peer()


def until(condition: Any, seconds: float = 60.0) -> None:
    """Poll until it holds; on a full machine two that vote for each other need many terms."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        waited.wait(0.05)
    raise AssertionError(f"did not come to hold within {seconds:g} s")

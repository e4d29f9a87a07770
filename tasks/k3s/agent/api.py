"""The Kubernetes API of the K3s server on this host, asked as its administrator.

Not `k3s kubectl`: that starts a program of 70 MB for each question, and a gate asks twice a second. The certificate
lies where K3s itself keeps it, for root only, and is used on this host alone.
"""

from __future__ import annotations

import hashlib
import json
import sys

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from http.client import HTTPSConnection
    from typing import Any

    from keybuzz.agent.runtime.context import Context

TLS = "/var/lib/rancher/k3s/server/tls"
ADDRESS, PORT = "127.0.0.1", 6443
HELD = "keybuzz.io/drained"
"""Annotation of a node that kbz has cordoned itself."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_PATIENCE = 5.0
_LARGEST = 64 << 20


class Api:
    """One connection, opened at its first use and kept for the request of the agent."""

    def __init__(self) -> None:
        self._connection: HTTPSConnection | None = None

    def send(
        self, method: str, path: str, body: object = None, kind: str = MERGE
    ) -> tuple[int, Any]:
        """Return status and parsed answer; AgentError without an answer."""
        from http.client import HTTPException

        sys.audit("kbz.http", method, path)
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": kind}
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            raw = response.read(_LARGEST)
        except (OSError, HTTPException) as error:
            self._connection = None
            raise AgentError(
                f"the API of K3s does not answer: {error or type(error).__name__}"
            ) from None
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, raw.decode(errors="replace")

    def get(self, path: str) -> Any:
        """Return an object, or None when there is none; AgentError for any other answer."""
        return self._good("GET", path)

    def change(self, method: str, path: str, body: object = None, kind: str = MERGE) -> Any:
        """Change something; AgentError with the API's own reason when it refuses."""
        return self._good(method, path, body, kind)

    def _good(self, method: str, path: str, body: object = None, kind: str = MERGE) -> Any:
        status, answer = self.send(method, path, body, kind)
        if status == 404 and method in ("GET", "DELETE"):
            return None
        if status >= 300:
            said = answer.get("message", "") if isinstance(answer, dict) else str(answer)
            raise AgentError(f"the API of K3s refuses {method} {path.split('?')[0]}: {said[:300]}")
        return answer

    def _connect(self) -> HTTPSConnection:
        import ssl
        from http.client import HTTPSConnection

        if not opener.is_there(f"{TLS}/client-admin.crt"):
            raise AgentError("K3s has never run here")
        context = ssl.create_default_context(cafile=f"{TLS}/server-ca.crt")
        context.load_cert_chain(f"{TLS}/client-admin.crt", f"{TLS}/client-admin.key")
        return HTTPSConnection(ADDRESS, PORT, timeout=_PATIENCE, context=context)


def api_of(context: Context) -> Api:
    """Return the one connection of this request."""
    api: Api = context.once_in_request("k3s-api", Api)
    return api


def answer_k3s(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what the API of this server knows: {"ready", "failed", "authority", "version", "nodes", "ingress", …}.

    Without a majority of the servers it is not ready, and says nothing of nodes: that could be old.
    """
    return context.once("k3s-look", lambda: _look(query, api_of(context)))


def _look(query: dict[str, Any], api: Api) -> dict[str, Any]:
    status, text = api.send("GET", "/readyz?verbose")
    lines = text.splitlines() if isinstance(text, str) else []
    failed = [line[3:].split(" ")[0] for line in lines if line.startswith("[-]")]
    found = {
        "ready": status == 200,
        "failed": failed or ([] if status == 200 else [f"HTTP {status}"]),
        "authority": _authority(),
        "nodes": [],
        "ingress": {},
    }
    if status != 200:
        return found
    namespace, name = query["daemonset"].split("/")
    ingress = api.get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
    dns = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    metrics = api.get("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")
    return {
        **found,
        "version": api.get("/version")["gitVersion"],
        "nodes": [node_of(item) for item in (api.get("/api/v1/nodes") or {})["items"]],
        "ingress": _ingress(ingress) if ingress else {},
        "dns": (dns or {}).get("status", {}).get("availableReplicas", 0),
        "metrics": condition(metrics or {}, "Available")[0] == "True",
    }


def _authority() -> str:
    """Return what tells one cluster from another: the digest of its authority's certificate."""
    return hashlib.sha256(opener.read(f"{TLS}/server-ca.crt", opener.SMALL)).hexdigest()[:16]


def condition(item: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return status and reason of a condition; Unknown when it is not set."""
    for found in item.get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return found["status"], found.get("reason", "")
    return "Unknown", ""


def node_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return what kbz looks at of a Node. Its conditions, and never a word of a table (facts/09)."""
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    annotations, labels = meta.get("annotations", {}), meta.get("labels", {})
    ready, reason = condition(item, "Ready")
    addresses = {entry["type"]: entry["address"] for entry in status.get("addresses", [])}
    return {
        "name": meta["name"],
        "ready": ready,
        "reason": reason,
        "voter": condition(item, "EtcdIsVoter")[0] == "True",
        "server": "node-role.kubernetes.io/control-plane" in labels,
        "etcd": "node-role.kubernetes.io/etcd" in labels,
        "cordoned": spec.get("unschedulable") is True,
        "held": annotations.get(HELD, ""),
        "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
        "address": addresses.get("InternalIP", ""),
        "flannel": annotations.get("flannel.alpha.coreos.com/public-ip", ""),
        "pods": spec.get("podCIDR", ""),
    }


def _ingress(item: dict[str, Any]) -> dict[str, Any]:
    status, template = item.get("status", {}), item["spec"]["template"]["spec"]
    return {
        "desired": status.get("desiredNumberScheduled", 0),
        "ready": status.get("numberReady", 0),
        "updated": status.get("updatedNumberScheduled", 0),
        "seen": status.get("observedGeneration") == item["metadata"].get("generation"),
        "host_network": template.get("hostNetwork") is True,
        "image": template["containers"][0]["image"],
    }

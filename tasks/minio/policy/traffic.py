"""MIN-4: where traffic goes: what is published, and what leads to MinIO through services, proxies and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from keybuzz.policy.context import Context
from keybuzz.policy.document import Bind, Document, Manifest, Route
from keybuzz.policy.node import Node
from keybuzz.policy.violation import Found, Rule
from keybuzz.site.groups import FLEET_NETWORK
from tasks.minio.values import GROUP

_IMAGE = re.compile(r"(?:^|[/\s])minio(?:/minio)?(?:[:@\s]|$)|minio/minio|bitnami\w*/minio\b", re.I)
_NAME = re.compile(r"(?:^|[-_.])minio(?:[-_.]|$)", re.I)
_OPEN_TYPES = ("NodePort", "LoadBalancer")
_ROUTES = frozenset(
    {
        "Ingress",
        "IngressRoute",
        "IngressRouteTCP",
        "HTTPRoute",
        "TCPRoute",
        "VirtualService",
        "Gateway",
    }
)
_KEYS = frozenset(
    {"backendRefs", "services", "service", "backend", "defaultBackend", "destination"}
)


def _judge(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    services = _Services(documents, context)
    for document in documents:
        for bind in document.binds:
            if _is_minio(bind.of, context) and _is_open(bind.address):
                message = f"MinIO is opened to every network on port {bind.port}"
                yield Found(document.path, bind.place, _shown(bind) or bind.port, message)
        for route in document.routes:
            if _is_public(route) and _is_minio(route.target, context):
                message = "a proxy that listens on every network leads to MinIO"
                yield Found(document.path, route.place, route.target, message)
        for manifest in document.manifests:
            if manifest.kind == "Service":
                yield from _service(document, manifest, services)
            elif manifest.kind in _ROUTES:
                yield from _route(document, manifest, services, context)


def _nodes(context: Context) -> frozenset[str]:
    return context.words_of.get(GROUP, frozenset())


def _shown(bind: Bind) -> str:
    return f"{bind.address}:{bind.port}" if bind.port else bind.address


def _is_minio(words: str, context: Context) -> bool:
    if _IMAGE.search(words):
        return True
    hosts = (re.split(r":(?=\d)", word)[0].lower() for word in words.split())
    return any(host in _nodes(context) or _NAME.search(host) for host in hosts)


def _is_public(route: Route) -> bool:
    return not route.listens or any(_is_open(address) for address in route.listens)


def _is_open(address: str) -> bool:
    try:
        found = IPv4Address(address)
    except ValueError:
        return address in ("", "*", "::", "0")
    return not (found in FLEET_NETWORK or found.is_loopback)


class _Services:
    """Which Services of a check lead to MinIO: by their pods, their endpoints, or their external name."""

    def __init__(self, documents: Sequence[Document], context: Context) -> None:
        self._nodes = _nodes(context)
        self._manifests = [m for document in documents for m in document.manifests]

    def lead_to_minio(self, name: str, namespace: str) -> bool:
        """Return True when a Service leads to MinIO. One that is not in the check is known by its name."""
        service = next((m for m in self._manifests if _is(m, "Service", name, namespace)), None)
        if self._endpoints(name, namespace):
            return True
        return bool(_NAME.search(name)) if service is None else self.is_minio(service)

    def is_minio(self, service: Manifest) -> bool:
        """Return True for a Service whose pods, endpoints or external name are MinIO's."""
        external = service.root.word("spec", "externalName").lower()
        if external:
            return external in self._nodes
        if self._endpoints(service.name, service.namespace):
            return True
        selector = _pairs(service.root.get("spec", "selector"))
        pods = [m for m in self._manifests if m.pod is not None and _near(m, service.namespace)]
        chosen = [m for m in pods if selector and selector <= _labels(m)]
        if chosen:
            return any(_runs_minio(manifest) for manifest in chosen)
        words = (service.name, *(value for _, value in selector))
        return any(_NAME.search(word) for word in words)

    def _endpoints(self, name: str, namespace: str) -> bool:
        for manifest in self._manifests:
            labels = manifest.root.get("metadata", "labels")
            of = labels.word("kubernetes.io/service-name") if labels is not None else ""
            is_slice = manifest.kind == "EndpointSlice" and of == name
            if is_slice or _is(manifest, "Endpoints", name, namespace):
                texts = (node.text or "" for _, node in manifest.root.walk())
                if any(text.lower() in self._nodes for text in texts):
                    return True
        return False


def _is(manifest: Manifest, kind: str, name: str, namespace: str) -> bool:
    return (manifest.kind, manifest.name) == (kind, name) and _near(manifest, namespace)


def _near(manifest: Manifest, namespace: str) -> bool:
    return "" in (namespace, manifest.namespace) or manifest.namespace == namespace


def _pairs(node: Node | None) -> set[tuple[str, str]]:
    return {(key, value.text or "") for key, value in node.entries} if node is not None else set()


def _labels(manifest: Manifest) -> set[tuple[str, str]]:
    keys = (
        ("metadata", "labels")
        if manifest.kind == "Pod"
        else ("spec", "template", "metadata", "labels")
    )
    return _pairs(manifest.root.get(*keys))


def _runs_minio(manifest: Manifest) -> bool:
    pod = manifest.pod
    containers = pod.all("containers") if pod is not None else ()
    return any(_IMAGE.search(container.word("image")) for container in containers)


def _service(document: Document, manifest: Manifest, services: _Services) -> Iterator[Found]:
    kind = manifest.root.get("spec", "type")
    if kind is not None and kind.text in _OPEN_TYPES and services.is_minio(manifest):
        message = f"the Service {manifest.name} of type {kind.text} opens MinIO outside the cluster"
        yield Found(document.path, kind.place, f"type: {kind.text}", message)


def _route(
    document: Document, manifest: Manifest, services: _Services, context: Context
) -> Iterator[Found]:
    message = f"the {manifest.kind} {manifest.name} puts MinIO on the Internet"
    for keys, node in manifest.root.walk():
        text = (node.text or "").lower()
        if keys[-1] in ("host", "hostnames", "hosts") and text in _nodes(context):
            yield Found(document.path, node.place, text, message)
    spec = manifest.root.get("spec")
    for rule in (*manifest.root.all("spec", "rules"), *manifest.root.all("spec", "routes")):
        for name in _backends(rule, manifest, services):
            shown = rule.get("host") or rule.get("match") or name
            yield Found(document.path, shown.place, shown.text or "", message)
    rest = tuple((k, v) for k, v in spec.entries if k not in ("rules", "routes")) if spec else ()
    for name in _backends(Node(manifest.root.place, entries=rest), manifest, services):
        yield Found(document.path, name.place, name.text or "", message)


def _backends(root: Node, manifest: Manifest, services: _Services) -> Iterator[Node]:
    """Yield the names of Services below a rule that lead to MinIO."""
    for path, node in root.mappings():
        name = node.get("name") or node.get("host")
        if not path or path[-1] not in _KEYS or name is None or not name.text:
            continue
        namespace = node.word("namespace") or manifest.namespace
        if services.lead_to_minio(name.text.partition(".")[0], namespace):
            yield name


MIN_4 = Rule(
    id="MIN-4",
    title="MinIO is never exposed",
    why="It holds the files of all customers, and s3.keybuzz.io is internal. Docker opens a published port past"
    " the firewall.",
    instead="keep it on the three nodes' private addresses, port 9000; for people outside, let the"
    " application hand out what they may see",
    applies_to="where traffic goes: Ingress, IngressRoute, HTTPRoute and VirtualService whose Service leads to MinIO"
    " by its pods, Endpoints, EndpointSlice or externalName; Service of type NodePort or LoadBalancer; published"
    " ports, bind lines and proxies (nginx, Apache, Caddy, HAProxy, Traefik, Kong, APISIX, Envoy, cloudflared) in"
    " front of MinIO that are not on the private network.",
    judge=_judge,
)

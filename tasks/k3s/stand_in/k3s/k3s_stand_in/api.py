"""The API server: objects by kind, who may do what, evictions, and /readyz."""

from __future__ import annotations

import copy
import time
import uuid
from typing import Any

from k3s_stand_in import VERSION
from k3s_stand_in.config import FatalError
from k3s_stand_in.store import NoQuorumError, Store
from k3s_stand_in.web import Answer, Request

CLUSTER_WIDE = {
    *("nodes", "namespaces", "clusterroles", "clusterrolebindings", "ingressclasses"),
    *("validatingwebhookconfigurations", "apiservices"),
}
APPLY = "application/apply-patch+yaml"
CHECKS = ("ping", "log", "etcd", "etcd-readiness", "poststarthook/start-apiextensions-controllers")


class Api:
    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, request: Request) -> Answer:
        """Answer on whichever server; without a majority nothing is told, because it could be old."""
        if request.path in ("/readyz", "/livez", "/healthz"):
            return self._ready(request)
        if request.path == "/version":
            return 200, {"gitVersion": VERSION, "major": "1", "minor": "33"}
        try:
            return self._led(request)
        except NoQuorumError as error:
            return status(500, "InternalError", str(error))
        except FatalError as error:
            return status(409, "Conflict", str(error))

    def _ready(self, request: Request) -> Answer:
        good = self.store.has_quorum() or request.path == "/livez"
        lines = [
            f"[+]{check} ok"
            if good or "etcd" not in check
            else f"[-]{check} failed: reason withheld"
            for check in CHECKS
        ]
        end = f"{request.path[1:]} check {'passed' if good else 'failed'}"
        if good and "verbose" not in request.query:
            return 200, "ok"
        return 200 if good else 500, "\n".join([*lines, end]) + "\n"

    def _led(self, request: Request) -> Answer:
        if not self.store.has_quorum():
            raise NoQuorumError("etcdserver: no leader")
        place = parse(request.path)
        if place is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        kind, namespace, name, sub = place
        if "system:masters" not in request.groups and not (
            request.method == "GET" and kind in ("nodes", "services")
        ):
            return status(403, "Forbidden", f'User "{request.user}" can not do that')
        match request.method:
            case "GET" if name:
                return self._get(kind, namespace, name)
            case "GET":
                return self._list(kind, namespace, request)
            case "POST" if (kind, sub) == ("pods", "eviction"):
                return self._delete(kind, namespace, name)
            case "POST":
                return self._create(kind, namespace, request.body)
            case "PUT" | "PATCH":
                return self._patch(kind, namespace, name, request)
            case "DELETE":
                return self._delete(kind, namespace, name)
        return status(405, "MethodNotAllowed", request.method)

    def _get(self, kind: str, namespace: str, name: str) -> Answer:
        found = self.store.data["objects"].get(key_of(kind, namespace, name))
        return (200, found) if found else status(404, "NotFound", f'{kind} "{name}" not found')

    def _list(self, kind: str, namespace: str, request: Request) -> Answer:
        start = f"{kind}/{namespace}/" if namespace else f"{kind}/"
        items = [o for k, o in sorted(self.store.data["objects"].items()) if k.startswith(start)]
        field, _, value = request.query.get("fieldSelector", "").partition("=")
        if field == "spec.nodeName":
            items = [item for item in items if item["spec"].get("nodeName") == value.strip("=")]
        for label in filter(None, request.query.get("labelSelector", "").split(",")):
            name, _, wanted = label.partition("=")
            items = [i for i in items if i["metadata"].get("labels", {}).get(name) == wanted]
        return 200, {"kind": "List", "apiVersion": "v1", "items": items}

    def _create(self, kind: str, namespace: str, body: dict[str, Any]) -> Answer:
        made = copy.deepcopy(body)
        key = key_of(kind, namespace, made["metadata"]["name"])

        def change(data: dict[str, Any]) -> Answer:
            if key in data["objects"]:
                return status(409, "AlreadyExists", f"{key} already exists")
            put(data, key, made, namespace)
            return 201, made

        return self.store.write(change)

    def _patch(self, kind: str, namespace: str, name: str, request: Request) -> Answer:
        key = key_of(kind, namespace, name)
        applied = request.content_type.startswith(APPLY)

        def change(data: dict[str, Any]) -> Answer:
            old = data["objects"].get(key)
            if old is None and not applied:
                return status(404, "NotFound", f'{kind} "{name}" not found')
            if kind not in CLUSTER_WIDE and f"namespaces//{namespace}" not in data["objects"]:
                return status(404, "NotFound", f'namespaces "{namespace}" not found')
            made = copy.deepcopy(request.body) if old is None else merged(old, request.body)
            if old is not None and made.get("spec") != old.get("spec"):
                made["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
            put(data, key, made, namespace)
            return (200 if old else 201), made

        return self.store.write(change)

    def _delete(self, kind: str, namespace: str, name: str) -> Answer:
        key = key_of(kind, namespace, name)

        def change(data: dict[str, Any]) -> Answer:
            if data["objects"].pop(key, None) is None:
                return status(404, "NotFound", f'{kind} "{name}" not found')
            if kind == "nodes":
                forget_node(data, name)
            return 200, {"kind": "Status", "status": "Success"}

        return self.store.write(change)


def forget_node(data: dict[str, Any], name: str) -> None:
    """As K3s' controllers do after a node was deleted: its pods, its password and its etcd member go too."""
    data["passwords"].pop(name, None)
    data["members"].pop(name, None)
    for key, item in list(data["objects"].items()):
        if key.startswith("pods/") and item["spec"].get("nodeName") == name:
            del data["objects"][key]


def put(data: dict[str, Any], key: str, made: dict[str, Any], namespace: str) -> None:
    meta = made.setdefault("metadata", {})
    meta.setdefault("uid", str(uuid.uuid4()))
    meta.setdefault("generation", 1)
    meta.setdefault("creationTimestamp", now())
    if namespace:
        meta["namespace"] = namespace
    if made.get("kind") in ("DaemonSet", "Deployment", "Job"):
        made.setdefault("status", {})
    data["objects"][key] = made


def merged(old: Any, new: Any) -> Any:
    """Merge as JSON merge patch does; null removes a key."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    made = copy.deepcopy(old)
    for key, value in new.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def parse(path: str) -> tuple[str, str, str, str] | None:
    """Return kind, namespace, name and what is below it."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    kind, name, sub = (*rest, "", "", "")[:3]
    return kind, namespace, name, sub


def key_of(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{'' if kind in CLUSTER_WIDE else namespace}/{name}"


def status(code: int, reason: str, message: str) -> Answer:
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

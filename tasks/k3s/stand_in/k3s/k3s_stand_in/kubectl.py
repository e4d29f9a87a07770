"""`k3s kubectl get|apply|delete|cordon|uncordon`, as far as people look around in the lab; kbz itself asks the API."""

from __future__ import annotations

import json
import sys
from typing import Any

from k3s_stand_in import pki
from k3s_stand_in.config import FatalError
from k3s_stand_in.server import API_PORT
from k3s_stand_in.web import Client, UnreachableError

APPS = {"daemonsets", "deployments"}
SHORT = {"no": "nodes", "node": "nodes", "po": "pods", "pod": "pods", "ds": "daemonsets"}
SHORT |= {"deploy": "deployments", "deployment": "deployments", "daemonset": "daemonsets"}


def kubectl(words: list[str]) -> int:
    if not words:
        raise FatalError(
            "kubectl get|apply|delete|cordon|uncordon KIND [NAME] [-n NAMESPACE | -A] [-o json]"
        )
    verb, rest = words[0], words[1:]
    namespace, form, file, plain = "default", "", "", []
    while rest:
        word = rest.pop(0)
        if word in ("-n", "--namespace"):
            namespace = rest.pop(0)
        elif word in ("-A", "--all-namespaces"):
            namespace = ""
        elif word in ("-o", "-f"):
            form, file = (rest.pop(0), file) if word == "-o" else (form, rest.pop(0))
        else:
            plain.append(word)
    if verb == "apply":
        return _apply(file)
    if verb in ("cordon", "uncordon"):
        return _cordon(plain[0], verb)
    kind = SHORT.get(plain[0], plain[0])
    path = _path(kind, "" if kind in ("nodes", "namespaces") else namespace, *plain[1:2])
    code, answer = _send("DELETE" if verb == "delete" else "GET", path)
    if code >= 400:
        print(f"Error from server: {answer.get('message', answer)}", file=sys.stderr)
        return 1
    if form == "json":
        print(json.dumps(answer, indent=2))
        return 0
    for item in answer.get("items", [answer]):
        if "metadata" in item:
            conditions = item.get("status", {}).get("conditions", [])
            ready = next((c["status"] for c in conditions if c["type"] == "Ready"), "-")
            node = item.get("spec", {}).get("nodeName", "")
            print(f"{item['metadata']['name']:<44} {ready:<8} {node}".rstrip())
    return 0


def _apply(file: str) -> int:
    """Apply a file of JSON documents: the stand-in has no YAML of its own."""
    with sys.stdin if file == "-" else open(file, encoding="utf-8") as stream:
        found = json.load(stream)
    for item in found.get("items", [found]):
        kind = item["kind"].lower() + "s"
        meta = item["metadata"]
        namespace = "" if kind in ("nodes", "namespaces") else meta.get("namespace", "default")
        code, answer = _send("POST", _path(kind, namespace), item)
        if code >= 400:
            print(f"Error from server: {answer.get('message', answer)}", file=sys.stderr)
            return 1
        print(f"{kind}/{meta['name']} created")
    return 0


def _cordon(node: str, verb: str) -> int:
    """Take a node from the scheduler, or give it back."""
    spec = {"unschedulable": True if verb == "cordon" else None}
    code, answer = _send("PATCH", _path("nodes", "", node), {"spec": spec})
    if code >= 400:
        print(f"Error from server: {answer.get('message', answer)}", file=sys.stderr)
        return 1
    print(f"node/{node} {verb}ed")
    return 0


def _path(kind: str, namespace: str, *name: str) -> str:
    base = "/apis/apps/v1" if kind in APPS else "/api/v1"
    place = f"/namespaces/{namespace}" if namespace else ""
    return "/".join([f"{base}{place}/{kind}", *name])


def _send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
    context = pki.client_context(f"{pki.TLS}/server-ca.crt", f"{pki.TLS}/client-admin")
    try:
        return Client("127.0.0.1", API_PORT, context).send(method, path, body)
    except UnreachableError as error:
        raise FatalError(
            f"The connection to the server 127.0.0.1:6443 was refused: {error}"
        ) from None

"""What is inside a K3s cluster: nodes that are drained or forgotten, objects that are applied, snapshots."""

from __future__ import annotations

import json
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run
from keybuzz.agent.runtime.errors import AgentError
from tasks.k3s.agent.api import APPLY, HELD, api_of, node_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from tasks.k3s.agent.api import Api

SNAPSHOTS = "/var/lib/rancher/k3s/server/db/snapshots"
_PROGRAM = "/usr/local/bin/k3s"
_FRESH = 3600.0
"""Seconds for which a snapshot counts as taken before a change."""
_SNAPSHOT_TIMEOUT = 300.0
_EVICT_POLL = 0.5
_TOLD = 8
"""Differences of a manifest that are named; the first is reason enough."""


def _node(name: str, context: Context) -> dict[str, Any] | None:
    found = api_of(context).get(f"/api/v1/nodes/{name}")
    return node_of(found) if found else None


def read_k3s_forgotten(query: Query, context: Context) -> State:
    """Return whether the cluster knows a node of that name."""
    known = _node(query["name"], context) is not None
    return {"present": True, "attributes": {"known": known}}


def write_k3s_forgotten(order: Query, context: Context) -> None:
    """Delete the node: K3s then drops its password and its etcd member. Refused for one that lives."""
    name = order["name"]
    found = _node(name, context)
    if found is not None and found["ready"] == "True":
        raise AgentError(
            f"{name} is Ready: a node answers by that name",
            "nothing was forgotten",
            outcome="refused",
        )
    api_of(context).change("DELETE", f"/api/v1/nodes/{name}")


def read_k3s_drained(query: Query, context: Context) -> State:
    """Return whether the node takes no pods and has none left that could go elsewhere."""
    found = _node(query["name"], context)
    if found is None:
        raise AgentError(f"the cluster knows no node {query['name']}")
    left = len(_movable(query["name"], api_of(context)))
    drained = found["cordoned"] and not left
    return {"present": True, "attributes": {"drained": drained, "left": left}}


def write_k3s_drained(order: Query, context: Context) -> None:
    """Cordon the node and evict its pods, as their disruption budgets allow, until none is left."""
    name, api = order["name"], api_of(context)
    by_hand = bool((_node(name, context) or {}).get("cordoned"))
    if not by_hand:
        # The mark tells kbz later that it may take this back; a cordon by hand has none.
        _mark(name, "draining", api)
    until = time.monotonic() + float(order["patience"])
    while movable := _movable(name, api):
        for pod in movable:
            _evict(pod, api)
        if time.monotonic() > until:
            stay = ", ".join(f"{pod['namespace']}/{pod['name']}" for pod in movable[:3])
            raise AgentError(
                f"{len(movable)} pods stay on {name}: {stay}",
                "a disruption budget holds them, or nowhere else is room; the node is cordoned",
            )
        time.sleep(_EVICT_POLL)
    if not by_hand:
        _mark(name, "drained", api)


def _mark(node: str, word: str, api: Api) -> None:
    held = {"metadata": {"annotations": {HELD: word}}, "spec": {"unschedulable": True}}
    api.change("PATCH", f"/api/v1/nodes/{node}", held)


def _movable(node: str, api: Api) -> list[dict[str, str]]:
    """Return the pods that an eviction moves: not those of DaemonSets, of the node itself, or that have ended."""
    answer = api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
    found = []
    for item in answer["items"]:
        meta = item["metadata"]
        owners = {owner["kind"] for owner in meta.get("ownerReferences", [])}
        ended = item.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if not owners & {"DaemonSet", "Node"} and not ended:
            found.append({"namespace": meta["namespace"], "name": meta["name"]})
    return found


def _evict(pod: dict[str, str], api: Api) -> None:
    path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod}
    status, answer = api.send("POST", path, body, "application/json")
    # 429: its disruption budget says not yet. 404: it has gone.
    if status >= 300 and status not in (404, 429):
        said = answer.get("message", "") if isinstance(answer, dict) else str(answer)
        raise AgentError(f"{pod['namespace']}/{pod['name']} cannot be evicted: {said[:200]}")


def read_k3s_schedulable(query: Query, context: Context) -> State:
    """Return whether kbz itself still holds the node back."""
    found = _node(query["name"], context)
    return {"present": True, "attributes": {"held": bool(found and found["held"])}}


def write_k3s_schedulable(order: Query, context: Context) -> None:
    """Take back kbz's own cordon, and its mark with it."""
    free = {"metadata": {"annotations": {HELD: None}}, "spec": {"unschedulable": None}}
    api_of(context).change("PATCH", f"/api/v1/nodes/{order['name']}", free)


def read_k3s_manifest(query: Query, context: Context) -> State:
    """Compare every object with the live one, field by field; what the API adds by itself does not count."""
    api = api_of(context)
    differs: list[str] = []
    for text in query["objects"]:
        wanted = json.loads(text)
        live = api.get(path_of(wanted))
        name = f"{wanted['kind']}/{wanted['metadata']['name']}"
        differs += [f"{name} is missing"] if live is None else differing(wanted, live, name)
        if len(differs) >= _TOLD:
            break
    return {"present": True, "attributes": {"differs": differs[:_TOLD]}}


def write_k3s_manifest(order: Query, context: Context) -> None:
    """Apply every object; the API checks each against its schema and refuses a field that it does not know."""
    api = api_of(context)
    for text in order["objects"]:
        wanted = json.loads(text)
        options = "fieldManager=kbz&force=true&fieldValidation=Strict"
        api.change("PATCH", f"{path_of(wanted)}?{options}", wanted, APPLY)


def path_of(item: dict[str, Any]) -> str:
    """Return where the API has an object."""
    version, meta = item["apiVersion"], item["metadata"]
    kind = item["kind"].lower()
    plural = kind + ("es" if kind.endswith("s") else "s")
    base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{base}{place}/{plural}/{meta['name']}"


def differing(wanted: object, live: object, place: str) -> list[str]:
    """Return the places at which the live object is not as wanted."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return [
            found
            for key, value in wanted.items()
            for found in differing(value, live.get(key), f"{place}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [
            found
            for number, (ours, theirs) in enumerate(zip(wanted, live, strict=True))
            for found in differing(ours, theirs, f"{place}.{number}")
        ]
    if wanted == live or (live is None and wanted in ({}, [], "", False)):
        return []
    return [place]


def read_k3s_snapshot(query: Query, context: Context) -> State:
    """Return whether a snapshot of that name was taken within the hour."""
    del context
    try:
        names = [name for name in opener.names(SNAPSHOTS) if name.startswith(query["name"])]
    except FileNotFoundError:
        names = []
    now = time.time()
    taken = any(now - opener.status(f"{SNAPSHOTS}/{name}").st_mtime < _FRESH for name in names)
    return {"present": True, "attributes": {"taken": taken}}


def write_k3s_snapshot(order: Query, context: Context) -> None:
    """Let K3s take one; it stays on this host below server/db/snapshots."""
    words = [_PROGRAM, "etcd-snapshot", "save", "--name", order["name"]]
    done = run(words, timeout=_SNAPSHOT_TIMEOUT)
    if done.exit_code != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise AgentError(f"no snapshot of etcd: {' '.join(said)}", "nothing was changed before it")
    if not read_k3s_snapshot(order, context)["attributes"]["taken"]:
        raise AgentError(f"K3s took a snapshot, and none is in {SNAPSHOTS}", "ls there")

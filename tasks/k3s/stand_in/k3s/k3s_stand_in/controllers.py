"""What the leader does by itself: nodes that fall silent, DaemonSets, Deployments, Jobs."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
import time
from typing import Any

from k3s_stand_in.api import now, put
from k3s_stand_in.store import NoQuorumError, Store

UNREACHABLE = "node.kubernetes.io/unreachable"
TOLERATED = 300

Data = dict[str, Any]


class Controllers:
    def __init__(self, store: Store, grace: float) -> None:
        self._store = store
        self._grace = grace
        self.seen: dict[str, float] = {}
        """When each node was heard; in memory only, so that a new leader waits a whole grace time."""
        self.lost: dict[str, float] = {}

    def run(self) -> None:
        leading = False
        while not self._store.removed:
            time.sleep(0.5)
            if self._store.role != "leader":
                leading = False
                continue
            if not leading:
                leading, self.seen, self.lost = True, {}, {}
            try:
                self._store.promote()
                with self._store.lock:
                    draft = copy.deepcopy(self._store.data)
                before = json.dumps(draft["objects"], sort_keys=True)
                self.reconcile(draft)
                if json.dumps(draft["objects"], sort_keys=True) != before:
                    self._store.write(self.reconcile)
            except NoQuorumError:
                continue

    def reconcile(self, data: Data) -> None:
        objects = data["objects"]
        for key in [key for key in objects if key.startswith("nodes/")]:
            self._node(data, objects[key])
        self._evict(data)
        for key in [key for key in objects if key.startswith("daemonsets/")]:
            _daemonset(data, objects[key])
        for key in [key for key in objects if key.startswith("deployments/")]:
            _deployment(data, objects[key])
        for key in [key for key in objects if key.startswith("jobs/")]:
            objects[key]["status"] = {"succeeded": 1}

    def _node(self, data: Data, node: Data) -> None:
        name = node["metadata"]["name"]
        moment = time.monotonic()
        silent = moment - self.seen.setdefault(name, moment) > self._grace
        set_condition(
            node,
            "Ready",
            "Unknown" if silent else "True",
            "NodeStatusUnknown" if silent else "KubeletReady",
        )
        taints = [t for t in node["spec"].get("taints", []) if t["key"] != UNREACHABLE]
        if silent:
            taints.append({"key": UNREACHABLE, "effect": "NoExecute"})
            self.lost.setdefault(name, moment)
        else:
            self.lost.pop(name, None)
        node["spec"]["taints"] = taints
        member = data["members"].get(name)
        if member is not None and data["etcd"]:
            voter = "True" if member["voter"] else "False"
            set_condition(node, "EtcdIsVoter", voter, "MemberNotLearner")

    def _evict(self, data: Data) -> None:
        """Take pods off nodes that are lost, when they no longer tolerate it; those of a DaemonSet stay."""
        for key, pod in list(data["objects"].items()):
            if not key.startswith("pods/") or owner(pod)[0] == "DaemonSet":
                continue
            node = pod["spec"].get("nodeName")
            if node in self.lost and time.monotonic() - self.lost[node] > _tolerated(pod):
                del data["objects"][key]


def _tolerated(pod: Data) -> float:
    for item in pod["spec"].get("tolerations", []):
        if item.get("key") == UNREACHABLE:
            return float(item.get("tolerationSeconds", 1 << 30))
    return TOLERATED


def set_condition(item: Data, kind: str, value: str, reason: str) -> None:
    conditions = item["status"].setdefault("conditions", [])
    for condition in conditions:
        if condition["type"] == kind:
            if condition["status"] != value:
                condition.update(status=value, reason=reason, lastTransitionTime=now())
            return
    conditions.append(
        {"type": kind, "status": value, "reason": reason, "lastTransitionTime": now()}
    )


def condition_of(item: Data, kind: str) -> str:
    found = (c["status"] for c in item["status"].get("conditions", []) if c["type"] == kind)
    return next(found, "Unknown")


def owner(pod: Data) -> tuple[str, str]:
    found = pod["metadata"].get("ownerReferences") or [{"kind": "", "name": ""}]
    return found[0]["kind"], found[0]["name"]


def pods_of(data: Data, item: Data) -> list[Data]:
    mine = (item["kind"], item["metadata"]["name"])
    start = f"pods/{item['metadata']['namespace']}/"
    return [o for k, o in data["objects"].items() if k.startswith(start) and owner(o) == mine]


def template_hash(item: Data) -> str:
    text = json.dumps(item["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def ready(pod: Data) -> bool:
    return condition_of(pod, "Ready") == "True"


def _daemonset(data: Data, item: Data) -> None:
    """One pod on each node, cordoned or silent ones too; outdated pods go one at a time."""
    nodes = [o for k, o in data["objects"].items() if k.startswith("nodes/")]
    pods = {pod["spec"]["nodeName"]: pod for pod in pods_of(data, item)}
    wanted = template_hash(item)
    for node in nodes:
        if node["metadata"]["name"] not in pods:
            _make_pod(data, item, node["metadata"]["name"])
    old = [pod for pod in pods.values() if pod["metadata"]["labels"]["hash"] != wanted]
    if old and (not ready(old[0]) or all(map(ready, pods.values()))):
        _remove(data, old[0])
    pods = {pod["spec"]["nodeName"]: pod for pod in pods_of(data, item)}
    fresh = [pod for pod in pods.values() if pod["metadata"]["labels"]["hash"] == wanted]
    alive = {n["metadata"]["name"] for n in nodes if condition_of(n, "Ready") == "True"}
    item["status"] = {
        "desiredNumberScheduled": len(nodes),
        "currentNumberScheduled": len(pods),
        "updatedNumberScheduled": len(fresh),
        "numberReady": sum(ready(pod) for name, pod in pods.items() if name in alive),
        "observedGeneration": item["metadata"]["generation"],
    }


def _deployment(data: Data, item: Data) -> None:
    wanted, number = template_hash(item), item["spec"].get("replicas", 1)
    pods = pods_of(data, item)
    for pod in pods:
        if pod["metadata"]["labels"]["hash"] != wanted:
            _remove(data, pod)
    for pod in pods_of(data, item)[number:]:
        _remove(data, pod)
    for _ in range(number - len(pods_of(data, item))):
        if (node := _roomiest(data)) is None:
            break
        _make_pod(data, item, node)
    alive = {
        key.split("/")[2]
        for key, node in data["objects"].items()
        if key.startswith("nodes/") and condition_of(node, "Ready") == "True"
    }
    there = pods_of(data, item)
    able = sum(ready(pod) and pod["spec"]["nodeName"] in alive for pod in there)
    item["status"] = {
        "replicas": len(there),
        "readyReplicas": able,
        "availableReplicas": able,
        "observedGeneration": item["metadata"]["generation"],
    }


def _roomiest(data: Data) -> str | None:
    """Return the Ready node that takes new pods and has the fewest."""
    count: dict[str, int] = {}
    for key, node in data["objects"].items():
        if not key.startswith("nodes/") or node["spec"].get("unschedulable"):
            continue
        if condition_of(node, "Ready") == "True":
            count[node["metadata"]["name"]] = 0
    for key, pod in data["objects"].items():
        if key.startswith("pods/") and pod["spec"].get("nodeName") in count:
            count[pod["spec"]["nodeName"]] += 1
    return min(count, key=lambda name: (count[name], name)) if count else None


def _make_pod(data: Data, item: Data, node: str) -> None:
    meta, template = item["metadata"], item["spec"]["template"]
    name = f"{meta['name']}-{secrets.token_hex(3)}"
    labels = {**template.get("metadata", {}).get("labels", {}), "hash": template_hash(item)}
    reference = {"kind": item["kind"], "name": meta["name"], "uid": meta["uid"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [reference]},
        "spec": {**copy.deepcopy(template["spec"]), "nodeName": node},
        "status": {"phase": "Pending", "conditions": []},
    }
    put(data, f"pods/{meta['namespace']}/{name}", pod, meta["namespace"])


def _remove(data: Data, pod: Data) -> None:
    data["objects"].pop(f"pods/{pod['metadata']['namespace']}/{pod['metadata']['name']}", None)

"""K3S-3: applications are Deployments with ClusterIP behind the ingress, with HPA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keybuzz.policy.context import Context
from keybuzz.policy.document import Document, Manifest
from keybuzz.policy.node import Node
from keybuzz.policy.violation import Found, Rule

_INGRESS_IMAGE = "ingress-nginx/controller"
_NO_APPLICATION = {
    "StatefulSet": "keeps its data in the cluster",
    "Pod": "is not started again when its node is lost",
    "ReplicaSet": "cannot be rolled out",
    "ReplicationController": "cannot be rolled out",
}


def _judge(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    del context
    manifests = [manifest for document in documents for manifest in document.manifests]
    for document in documents:
        for manifest in document.manifests:
            yield from _workload(document, manifest)
            if manifest.kind == "Service":
                yield from _service(document, manifest)
            elif manifest.kind == "Deployment" and not _is_ingress(manifest):
                yield from _companions(document, manifest, manifests)


def _is_ingress(manifest: Manifest) -> bool:
    """The controller's image is the proof; a label would be a claim."""
    pod = manifest.pod
    return pod is not None and any(
        _INGRESS_IMAGE in container.word("image") for container in pod.all("containers")
    )


def _workload(document: Document, manifest: Manifest) -> Iterator[Found]:
    if _is_ingress(manifest):
        return
    kind, name = manifest.kind, manifest.name
    place = (manifest.root.get("kind") or manifest.root).place
    if kind == "DaemonSet":
        message = f"the DaemonSet {name} is not the ingress"
        yield Found(document.path, place, "kind: DaemonSet", message)
    elif kind in _NO_APPLICATION:
        message = f"the {kind} {name} {_NO_APPLICATION[kind]}"
        yield Found(document.path, place, f"kind: {kind}", message)
    pod = manifest.pod
    if pod is None:
        return
    network = pod.get("hostNetwork")
    if network is not None and network.plain() is True:
        message = f"the pods of {name} use the network of their node"
        yield Found(document.path, network.place, "hostNetwork: true", message)
    for container in pod.all("containers"):
        for port in container.all("ports"):
            node = port.get("hostPort")
            if node is not None:
                message = f"the pods of {name} open a port of their node"
                yield Found(document.path, node.place, f"hostPort: {node.text}", message)


def _service(document: Document, manifest: Manifest) -> Iterator[Found]:
    spec = manifest.root.get("spec")
    kind = spec.get("type") if spec is not None else None
    if kind is not None and kind.text in ("NodePort", "LoadBalancer"):
        message = f"the Service {manifest.name} goes round the ingress"
        yield Found(document.path, kind.place, f"type: {kind.text}", message)
    for node in spec.all("externalIPs") if spec is not None else ():
        message = f"the Service {manifest.name} takes an address of its own"
        yield Found(document.path, node.place, f"externalIPs: {node.text}", message)


def _companions(
    document: Document, manifest: Manifest, manifests: list[Manifest]
) -> Iterator[Found]:
    """Yield the HPA and the Service that a Deployment lacks among all files of the check."""
    name = manifest.name
    place = (manifest.root.get("metadata", "name") or manifest.root).place
    if not _is_single(manifest) and not any(_scales(other, manifest) for other in manifests):
        message = f"no HorizontalPodAutoscaler scales the Deployment {name}"
        if manifest.namespace:
            message += f" in the namespace {manifest.namespace}"
        instead = f"add an autoscaling/v2 HorizontalPodAutoscaler whose scaleTargetRef is {name}"
        yield Found(document.path, place, f"name: {name}", message, instead)
    pod = manifest.pod
    listens = pod is not None and any(item.all("ports") for item in pod.all("containers"))
    labels = _pairs(manifest.root.get("spec", "template", "metadata", "labels"))
    services = [other for other in manifests if other.kind == "Service"]
    if listens and not any(
        _selects(service, labels) for service in services if _same_namespace(service, manifest)
    ):
        message = f"no Service leads to the Deployment {name}"
        instead = "add a Service of type ClusterIP that selects its pods"
        yield Found(document.path, place, f"name: {name}", message, instead)


def _is_single(manifest: Manifest) -> bool:
    """Return True for a Deployment that has one pod by design: it is stopped before the next one starts."""
    spec = manifest.root.get("spec")
    recreated = spec is not None and spec.word("strategy", "type") == "Recreate"
    return recreated and spec is not None and spec.word("replicas") in ("", "0", "1")


def _scales(scaler: Manifest, deployment: Manifest) -> bool:
    if scaler.kind not in ("HorizontalPodAutoscaler", "ScaledObject"):
        return False
    target = scaler.root.get("spec", "scaleTargetRef")
    return (
        target is not None
        and target.word("kind") in ("Deployment", *(("",) if scaler.kind == "ScaledObject" else ()))
        and target.word("name") == deployment.name
        and _same_namespace(scaler, deployment)
    )


def _same_namespace(one: Manifest, other: Manifest) -> bool:
    """Return False for two namespaces; an object that names none comes into the one of its application."""
    return "" in (one.namespace, other.namespace) or one.namespace == other.namespace


def _selects(service: Manifest, labels: set[tuple[str, str]]) -> bool:
    selector = _pairs(service.root.get("spec", "selector"))
    return bool(selector) and selector <= labels


def _pairs(node: Node | None) -> set[tuple[str, str]]:
    return {(key, value.text or "") for key, value in node.entries} if node is not None else set()


K3S_3 = Rule(
    id="K3S-3",
    title="Applications are Deployments with ClusterIP behind the ingress, with HPA",
    why="DaemonSet and hostNetwork were a way round a broken network. They put one copy on each node, cannot"
    " scale, and give an application every port of its host.",
    instead="a Deployment, a Service of type ClusterIP, an Ingress, and a HorizontalPodAutoscaler",
    applies_to="Kubernetes manifests, all files of one check together; Jobs and CronJobs are free, and so is the"
    " ingress, known by its controller's image. A ScaledObject of KEDA counts as a HorizontalPodAutoscaler; a"
    " Deployment of one pod with the strategy Recreate needs none.",
    judge=_judge,
)

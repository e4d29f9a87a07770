"""What a new cluster has before anybody applies anything: K3s' packaged components."""

from __future__ import annotations

from typing import Any

from k3s_stand_in.api import key_of, put

_PACKAGED = (
    ("coredns", "rancher/mirrored-coredns-coredns:1.12.3", 53),
    ("local-path-provisioner", "rancher/local-path-provisioner:v0.0.31", 0),
    ("metrics-server", "rancher/mirrored-metrics-server:v0.8.0", 10250),
)


def new_cluster(*, etcd: bool) -> dict[str, Any]:
    """Return the state of a cluster that was just made."""
    data: dict[str, Any] = {"etcd": etcd, "passwords": {}, "objects": {}}
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        put(data, key_of("namespaces", "", name), made, "")
    for name, image, port in _PACKAGED:
        key = f"deployments/kube-system/{name}"
        put(data, key, _deployment(name, image, port), "kube-system")
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    }
    put(data, key_of("apiservices", "", "v1beta1.metrics.k8s.io"), service, "")
    return data


def _deployment(name: str, image: str, port: int) -> dict[str, Any]:
    labels = {"k8s-app": name}
    container = {"name": name, "image": image, "ports": [{"containerPort": port}] if port else []}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }

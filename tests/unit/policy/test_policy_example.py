"""The example application is clean, and each rule fires on its own minimal bad twin of it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from keybuzz.policy.registry import ids
from tests.unit.support.policy_values import MARK, context, example, judged


class Twin(NamedTuple):
    """The example with one text replaced; the mark in `new` is the place that must be named."""

    rule: str
    path: str
    old: str
    new: str


TWINS = (
    Twin("EP-1", ".env.example", "MARIADB_HOST=10.0.0.20", "MARIADB_HOST=§maria-01"),
    Twin("EP-1", "deploy/web.yaml", "@10.0.0.10:6432", "@§10.0.0.120:5432"),
    Twin("VER-1", "compose.yaml", "redis:7.2.5-alpine", "§redis:7-alpine"),
    Twin(
        "VER-1", "Dockerfile", "/requirements.txt gunicorn==23.0.0", "/requirements.txt §gunicorn"
    ),
    Twin("VER-1", "deploy/release.sh", 'docker push "$image"', "docker push §keybuzz/shop"),
    Twin("VER-2", "compose.yaml", "redis:7.2.5-alpine", "§redis:7.4.7-alpine"),
    Twin("K3S-3", "deploy/web.yaml", "type: ClusterIP", "type: §NodePort"),
    Twin(
        "K3S-3",
        "deploy/web.yaml",
        "    spec:\n      cont",
        "    spec:\n      hostNetwork: §true\n      cont",
    ),
    Twin(
        "K3S-3", "deploy/web.yaml", "app.kubernetes.io/component: web}\n  ports", "x: z}\n  ports"
    ),
    Twin("MIN-4", "deploy/web.yaml", "{name: shop-web, port", "{name: minio, port"),
    Twin("MIN-5", "deploy/release.sh", "alias set minio", "alias set §shop"),
    Twin("LB-3", "compose.yaml", "127.0.0.1:8000:8000", "§10.0.0.10:8000:8000"),
    Twin("SEC-2", ".env.example", "POSTGRES_APP_PASS=\n", "POSTGRES_APP_PASS=§sunshine42\n"),
    Twin("SEC-2", "README.md", "never with", "with §ghp_" + "a1B2c3D4e5F6" * 3 + ", never with"),
    Twin("PG-2", "compose.yaml", "postgres:16.4-bookworm", "§zalando/patroni:3.3.0"),
    Twin(
        "KBZ-1",
        "deploy/web.yaml",
        "selector:\n    matchL",
        "§selectors: {}\n  selector:\n    matchL",
    ),
    Twin("KBZ-2", "Dockerfile", "RUN apt-get update", "RUN §apk update"),
)


def test_no_rule_fires_on_the_clean_example() -> None:
    files = example()
    verdict = judged(files)
    assert verdict.violations == ()
    assert verdict.files == len(files) >= 8


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: f"{twin.rule}:{twin.path}:{twin.new[:30]}")
def test_a_rule_fires_on_its_own_bad_twin_and_no_other_does(twin: Twin) -> None:
    files = example()
    assert files[twin.path].count(twin.old) == 1
    marked = files[twin.path].replace(twin.old, twin.new)
    files[twin.path] = marked.replace(MARK, "")
    found = judged(files).violations
    assert [(item.rule, item.path) for item in found] == [(twin.rule, twin.path)]
    if MARK in marked:
        before = marked[: marked.index(MARK)]
        assert found[0].line == before.count("\n") + 1
        assert found[0].column == len(before) - before.rfind("\n")


def test_every_rule_over_files_has_a_twin() -> None:
    assert {twin.rule for twin in TWINS} == set(ids()) - {"KBZ-3"}


def test_files_of_one_check_are_judged_together() -> None:
    files = example()
    del files["deploy/scaling.yaml"]
    found = judged(files).violations
    assert [(item.rule, item.message) for item in found] == [
        ("K3S-3", "no HorizontalPodAutoscaler scales the Deployment shop-web in the namespace shop")
    ]
    assert "scaleTargetRef is shop-web" in found[0].instead


def test_the_ingress_itself_may_do_what_it_must() -> None:
    text = """apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ingress}
spec:
  selector: {matchLabels: {app: ingress}}
  template:
    metadata: {labels: {app: ingress}}
    spec:
      hostNetwork: true
      containers:
        - name: controller
          image: registry.k8s.io/ingress-nginx/controller:v1.13.3
          ports: [{containerPort: 80, hostPort: 80}]
"""
    assert judged({"ingress.yaml": text}, context()).violations == ()
    claimed = text.replace("registry.k8s.io/ingress-nginx/controller", "keybuzz/ingress-nginx")
    assert {item.rule for item in judged({"i.yaml": claimed}).violations} == {"K3S-3"}

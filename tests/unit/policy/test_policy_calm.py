"""What looks like a violation and is none: a rule that cries at everything is switched off."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.policy.check import check_text
from keybuzz.policy.rules.secrets.disorder import is_disordered
from keybuzz.policy.rules.versions import floating
from tests.unit.support.policy_values import context

CALM = (
    (".env", "# REDIS_HOST=redis-01 until the move\n"),
    (
        ".env",
        "REDIS_HOST=my-redis-01.example.com\nQUEUE=predis-01\nOTHER=redis-012\nHOST=110.0.0.123\n",
    ),
    (".env", "HOST=redis-01.shop.svc.cluster.local\nIP=10.0.0.1234\nOTHER=10.0.0.99\n"),
    (".env", "MINIO_HOST=10.0.0.134\nMINIO_PORT=9000\nREDIS_HOST=10.0.0.10\n"),
    (".env", "PASSWORD_MIN_LENGTH=12\nTOKEN_TTL=3600s\nTOKEN_URL=https://auth.example.com/token\n"),
    (
        ".env",
        "DB_PASSWORD=${DB_PASSWORD}\nA_PASSWORD=changeme\nB_PASSWORD=<password>\nC_PASSWORD=\n",
    ),
    (".env", "D_PASSWORD_FILE=/run/secrets/db\nE_SECRET=file:///run/secrets/e\nF_TOKEN=$(cat t)\n"),
    (".env", "SESSION_SECRET=xxxxxxxxxxxx\nSTRIPE_KEY=sk_test_xxxxxxxxxxxxxxxxxxxxxxxx\n"),
    (".env", "POSTGRES_USER=kb_admin_of_all\n"),
    (
        ".env",
        "URL=postgresql://shop:${PASS}@10.0.0.10:5432/x\nB=amqp://user:password@localhost\n".replace(
            "password", "<pw>"
        ),
    ),
    (
        "values.yaml",
        "auth:\n  existingSecret: shop-credentials\n  secretName: tls\n  passwordKey: x\n",
    ),
    ("values.yaml", "nodeSelector: {kubernetes.io/hostname: k8s-worker-03}\n"),
    ("values.yaml", "image: {repository: keybuzz/api, tag: 1.4.2}\n"),
    ("chart.yaml", "image: {{ .Values.image }}\n  {{- if .x }}\nname: {{ .y }}\n"),
    (
        "sealed.yaml",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: x}\nspec: {}\n",
    ),
    (
        "haproxy.cfg",
        "frontend r\n    bind 0.0.0.0:6379\n    default_backend r\nbackend r\n    server r1 10.0.0.10:6379\n",
    ),
    (
        "haproxy.cfg",
        "listen s3\n    mode http\n    bind 10.0.0.11:9000\n    server m 10.0.0.134:9000\n",
    ),
    ("proxysql.cnf", 'mysql_variables=\n{\n    interfaces="0.0.0.0:3306"\n}\n'),
    (
        "compose.yaml",
        "services:\n  api:\n    build: .\n    ports: ['8080:80']\n    container_name: redis-01\n",
    ),
    ("Dockerfile", "FROM alpine:3.20.3 AS base\nFROM base\nRUN apk add --no-cache curl=8.9.1-r1\n"),
    ("Dockerfile", "ARG VERSION\nFROM python:${VERSION}\nFROM scratch\nCOPY --from=0 /a /a\n"),
    (
        "Dockerfile",
        "FROM debian:12.8\nRUN echo 'apk add' && pip install -r requirements.txt ./wheel\n",
    ),
    (
        "run.sh",
        "ssh root@redis-01 uptime\nrsync -a . db-master-01:/srv/\n# docker run redis:latest\n",
    ),
    ("run.sh", "docker run --rm -e A=b --name x redis:7.2.5-alpine redis-cli --latency\n"),
    ("run.sh", 'docker run "$IMAGE"\ndocker pull "${REGISTRY}/${NAME}"\necho "it\'s latest"\n'),
    ("run.sh", 'if [ -z "$A" ]; then echo don\'t; fi\nmc alias set minio "$URL" "$U" "$P"\n'),
    ("guide.md", "Never use `latest`, and look at redis-01 (`10.0.0.123`) or root:root.\n"),
    (
        "guide.md",
        "```\nredis-01 10.0.0.123 redis:latest\n```\n```yaml\nimage: x:1.2.3\n...: [\n```\n",
    ),
    ("guide.md", "```console\n$ kbz health\nredis-01  ok\n```\n"),
    ("package-lock.json", '{"integrity": "sha512-' + "a1B2c3D4" * 10 + '=="}\n'),
    (
        "logo.yaml",
        "logo: data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBg\n",
    ),
    (
        "deploy.yaml",
        "key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBv9Qv1wq7yJ4Xo2m8PZ1kT5uQ3sR7nL9dF6hG2jK8bV me\n",
    ),
    (
        "ca.pem",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ2h9Zk4vQ9sLw2XrT7bN1mYc8HdPeAAA\n",
    ),
    (
        "app.yaml",
        "class: KubernetesIngressNginxController123\nname: shopWebFrontendDeployment2024Release\n",
    ),
    (
        "app.yaml",
        "commit: 4f2c1d9be07a3c58d6e1f0a9b8c7d6e5f4a3b2c1\nimage: x@sha256:" + "0a" * 32 + "\n",
    ),
    ("empty.yaml", "---\n# nothing\n---\n"),
    ("page.yaml", "image: /img/logo.png\nheroImage: https://a.example/b\nuseImage: true\n"),
    (".env", "HERO_IMAGE=static/hero.webp\nWITH_IMAGE=yes\n"),
    ("empty.env", ""),
)


@pytest.mark.parametrize(("path", "text"), CALM, ids=lambda value: value[:50])
def test_nothing_is_found_where_nothing_is_wrong(path: str, text: str) -> None:
    assert check_text(path, text, context()) == ()


@given(st.binary(min_size=1, max_size=64))
def test_digests_and_ids_are_no_secrets(seed: bytes) -> None:
    digest = hashlib.sha512(seed)
    text = "\n".join(
        [
            f"A={uuid.UUID(bytes=digest.digest()[:16])}",
            f"B={hashlib.sha1(seed, usedforsecurity=False).hexdigest()}",
            f"C=sha256:{digest.hexdigest()[:64]}",
            f"D=sha512-{base64.b64encode(digest.digest()).decode()}",
            f"E=data:image/png;base64,{base64.b64encode(digest.digest() * 4).decode()}",
        ]
    )
    assert check_text(".env", text, context()) == ()


@given(
    st.lists(st.sampled_from(["shop", "Web", "Front", "order", "Item", "v2", "8080"]), unique=True)
)
def test_names_are_no_secrets(words: list[str]) -> None:
    for joint in ("", "-", "_"):
        assert not is_disordered(joint.join(words), shortest=20)


@pytest.mark.parametrize("length", [25, 32, 64])
def test_what_a_generator_made_is_seen(length: int) -> None:
    generator = random.Random(length)
    letters = string.ascii_letters + string.digits
    made = ["".join(generator.choices(letters, k=length)) for _ in range(500)]
    assert sum(is_disordered(word, shortest=20) for word in made) >= 450


@pytest.mark.parametrize(
    "reference",
    [
        "redis:7.2.5-alpine",
        "postgres:16.4-bookworm",
        "ubuntu:24.04",
        "minio/minio:RELEASE.2024-10-02T17-50-41Z",
        "rancher/k3s:v1.33.5-k3s1",
        "registry.keybuzz.io:5000/shop:1.4.2",
        "redis@sha256:" + "ab" * 32,
        "redis:7@sha256:" + "ab" * 32,
        "keybuzz/shop:4f2c1d9",
        "keybuzz/shop:2026-01-15",
        "keybuzz/patroni-postgres16:16.4-3.3.0-1f2e3d4c",
        "${IMAGE}",
        "${REGISTRY}/${NAME}",
        "redis:${VERSION}",
        "redis:${VERSION:?give one}",
        "{{ .Values.image }}",
        "<image>",
    ],
)
def test_a_whole_version_does_not_float(reference: str) -> None:
    assert floating(reference) is None


@pytest.mark.parametrize(
    "reference",
    [
        "redis",
        "redis:latest",
        "redis:7",
        "redis:7.2",
        "redis:7-alpine",
        "a/b:stable",
        "a/b:v2",
        "registry:5000/a",
        "a:latest@sha256:" + "ab" * 32,
        "postgres:16",
        "${R}/a",
        "a:deadbeefs",
    ],
)
def test_a_tag_that_moves_floats(reference: str) -> None:
    assert floating(reference) is not None


@given(
    st.sampled_from(
        [".env", "a.yaml", "Dockerfile", "a.sh", "haproxy.cfg", "a.md", "a.conf", "a.py"]
    ),
    st.lists(
        st.one_of(
            st.text(max_size=20),
            st.sampled_from(
                [
                    "apiVersion: v1\n",
                    "kind: Pod\n",
                    "spec: ",
                    "{",
                    "[",
                    "&a ",
                    "*a ",
                    "<<: ",
                    "|\n",
                    "'",
                    '"',
                    "\n",
                    " ",
                    "FROM ",
                    "RUN ",
                    "\\\n",
                    "<<EOF\n",
                    "$(",
                    "${",
                    "```yaml\n",
                    "```\n",
                    "bind *:80\n",
                    "frontend x\n",
                    "mc alias set ",
                    "docker run ",
                    "-p ",
                    "image: ",
                    "a=b",
                    "pip install ",
                    "CMD [",
                    "ENV ",
                    "kubectl set image ",
                    "- ",
                    "ports: ",
                    "data: ",
                ]
            ),
        ),
        max_size=30,
    ),
)
def test_no_text_makes_a_check_fail(path: str, parts: list[str]) -> None:
    lines = "".join(parts).replace("\r\n", "\n").count("\n") + 1
    for found in check_text(path, "".join(parts), context()):
        assert 1 <= found.line <= lines + 1
        assert found.column >= 1

"""The lab's stand-in for MinIO, through the real SDK: what the lab relies on, and how a wrong deployment fails."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from tests.flow.servers.minio_server import NODES, PASSWORD, Trio, trio, until

BUCKET = "keybuzz-backups"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Trio]:
    with trio(tmp_path, *NODES) as made:
        yield made


def put(nodes: Trio, node: int, name: str, content: bytes = b"x") -> None:
    client = nodes.client(node)
    if not client.bucket_exists(BUCKET):
        client.make_bucket(BUCKET)
    client.put_object(BUCKET, name, io.BytesIO(content), len(content))


def names(nodes: Trio, node: int) -> set[str]:
    return {item.object_name for item in nodes.client(node).list_objects(BUCKET, recursive=True)}


def form(nodes: Trio, node: int) -> dict[str, str]:
    found: dict[str, str] = json.loads((nodes.drive(node) / ".minio.sys/format.json").read_text())
    return found


def test_the_sdk_works_and_every_version_is_on_every_node(nodes: Trio) -> None:
    put(nodes, 1, "a/b c+ü.txt", b"first")
    nodes.client(2).set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
    assert nodes.client(3).get_bucket_versioning(BUCKET).status == ENABLED
    put(nodes, 2, "a/b c+ü.txt", b"second")
    answer = nodes.client(3).get_object(BUCKET, "a/b c+ü.txt")
    assert answer.read() == b"second"
    found = list(nodes.client(1).list_objects(BUCKET, include_version=True, recursive=True))
    assert [item.is_latest for item in found] == ["true", "false"]
    nodes.client(1).remove_object(BUCKET, "a/b c+ü.txt")
    assert names(nodes, 2) == set()
    with pytest.raises(S3Error, match="NoSuchKey"):
        nodes.client(2).get_object(BUCKET, "a/b c+ü.txt")


def test_one_of_three_may_be_away_and_gets_what_it_missed(nodes: Trio) -> None:
    put(nodes, 1, "before")
    nodes.kill(3)
    put(nodes, 1, "meanwhile")
    assert nodes.health(1) == 200
    nodes.start(3)
    nodes.until_healthy(3)
    folder = nodes.drive(3) / BUCKET / "meanwhile"
    until(folder.is_dir, "what was missed is on the drive itself")
    assert names(nodes, 3) == {"before", "meanwhile"}


def test_one_alone_neither_writes_nor_reads_and_says_so_on_its_cluster_page(nodes: Trio) -> None:
    put(nodes, 1, "before")
    nodes.kill(2, 3)
    until(lambda: nodes.health(1) == 503, "the write quorum is gone")
    assert nodes.health(1, "live") == 200
    with pytest.raises(S3Error, match="SlowDownWrite"):
        nodes.client(1).put_object(BUCKET, "alone", io.BytesIO(b"x"), 1)
    with pytest.raises(S3Error, match="SlowDownRead"):
        names(nodes, 1)
    nodes.start(2, 3)
    nodes.until_healthy(*NODES)
    assert names(nodes, 2) == {"before"}


def test_a_kill_of_all_loses_nothing_that_was_acknowledged(nodes: Trio) -> None:
    for number in range(10):
        put(nodes, 1 + number % 3, str(number))
    identity = form(nodes, 1)["id"]
    nodes.kill(*NODES)
    nodes.start(*NODES)
    nodes.until_healthy(*NODES)
    assert names(nodes, 2) == {str(number) for number in range(10)}
    assert {form(nodes, node)["id"] for node in NODES} == {identity}


def test_a_replaced_drive_gets_its_place_and_everything_from_the_others(nodes: Trio) -> None:
    put(nodes, 1, "before")
    old = form(nodes, 2)
    nodes.kill(2)
    shutil.rmtree(nodes.drive(2))
    nodes.start(2)
    nodes.until_healthy(2)
    until((nodes.drive(2) / BUCKET / "before").is_dir, "the drive is healed")
    assert form(nodes, 2) == old


def test_a_wrong_password_is_refused(nodes: Trio) -> None:
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        nodes.client(1, "another-password").list_buckets()


def test_it_is_no_cluster_before_all_three_are_there(tmp_path: Path) -> None:
    with trio(tmp_path, 2, 3) as nodes:
        until(lambda: "Waiting for the first server" in nodes.log(3), "it waits")
        assert nodes.health(3) == 503
        assert not (nodes.drive(2) / ".minio.sys/format.json").exists()
        nodes.start(1)
        nodes.until_healthy(*NODES)


def test_nodes_with_another_order_of_drives_never_begin(tmp_path: Path) -> None:
    with trio(tmp_path) as nodes:
        nodes.start(1, 2)
        nodes.start(3, urls=[*reversed(nodes.urls())])
        until(lambda: "mismatching configuration" in nodes.log(3), "the node says why")
        until(lambda: all(nodes.health(node) for node in NODES), "all answer")
        assert [nodes.health(node) for node in NODES] == [503, 503, 503]


def test_nodes_with_another_password_never_begin(tmp_path: Path) -> None:
    with trio(tmp_path) as nodes:
        nodes.start(1, 2)
        nodes.start(3, password=f"{PASSWORD}-other")
        until(lambda: "different root credentials" in nodes.log(3), "the node says why")
        assert nodes.health(3) == 503


def test_a_drive_of_another_deployment_ends_its_node_and_is_not_touched(nodes: Trio) -> None:
    nodes.kill(3)
    foreign = {**form(nodes, 3), "id": "another"}
    (nodes.drive(3) / ".minio.sys/format.json").write_text(json.dumps(foreign))
    nodes.start(3)
    assert nodes.exit_code(3) == 1
    assert "belongs to deployment another" in nodes.log(3)
    assert form(nodes, 3) == foreign

"""Every version of every object out of MinIO, read again, and into empty buckets: with the lab's stand-in of MinIO."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig

from tasks.backup.on_host import objects
from tests.flow.servers.minio_server import NODES, PASSWORD, USER, Trio, trio

BUCKET, PLAIN = "keybuzz-backups", "plain"
KEYS = ("a", "a/b", "a/b c+ü&=%.txt", "deep/" * 20 + "er", "empty")
LOGIN = f"{USER}:{PASSWORD}"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Trio]:
    """Three nodes with two buckets: two versions of each object, one of them deleted."""
    with trio(tmp_path, *NODES) as made:
        client = made.client(1)
        for bucket in (BUCKET, PLAIN):
            client.make_bucket(bucket)
        client.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
        for number in (1, 2):
            for key in KEYS:
                content = b"" if key == "empty" else f"{key} {number}".encode() * 5000
                headers = {"x-amz-meta-number": str(number)}
                client.put_object(
                    BUCKET, key, io.BytesIO(content), len(content), "text/x-kbz", headers
                )
        client.remove_object(BUCKET, "a")
        yield made


def address(nodes: Trio, node: int = 1) -> tuple[str, str]:
    place = urlsplit(f"http://{nodes.client(node)._base_url.host}")
    return str(place.hostname), str(place.port)


def taken(nodes: Trio, folder: Path) -> Path:
    folder.mkdir()
    assert objects.main(LOGIN, ["take", str(folder), *address(nodes)]) == 0
    assert objects.main("", ["prove", str(folder)]) == 0
    return folder


def told(nodes: Trio, bucket: str) -> list[tuple[str, bool, bytes, str]]:
    """Return each version of a bucket, by the SDK: key, marker, content and own header."""
    client = nodes.client(2)
    found = []
    for item in client.list_objects(bucket, include_version=True, recursive=True):
        if item.is_delete_marker:
            found.append((item.object_name, True, b"", ""))
            continue
        answer = client.get_object(bucket, item.object_name, version_id=item.version_id)
        found.append((item.object_name, False, answer.read(), answer.headers["x-amz-meta-number"]))
    return found


def test_all_versions_are_back_in_empty_buckets(nodes: Trio, tmp_path: Path) -> None:
    folder = taken(nodes, tmp_path / "taken")
    counts = json.loads((folder / "kbz.counts.json").read_text())
    assert (counts["buckets"], counts["versions"], counts["markers"]) == (2, 2 * len(KEYS), 1)
    before = told(nodes, BUCKET)
    client = nodes.client(1)
    for item in list(client.list_objects(BUCKET, include_version=True, recursive=True)):
        client.remove_object(BUCKET, item.object_name, version_id=item.version_id)
    client.remove_bucket(PLAIN)
    script = [sys.executable, objects.__file__, "put", str(folder), *address(nodes)]
    done = subprocess.run(script, input=LOGIN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert told(nodes, BUCKET) == before
    assert client.bucket_exists(PLAIN)


def test_versions_are_kept_where_they_were_and_nowhere_else(nodes: Trio, tmp_path: Path) -> None:
    client = nodes.client(1)
    client.make_bucket("paused")
    client.set_bucket_versioning("paused", VersioningConfig(ENABLED))
    for bucket, times in ((PLAIN, 1), ("paused", 2)):
        for _ in range(times):
            client.put_object(bucket, "a", io.BytesIO(b"x"), 1, metadata={"number": "1"})
    client.set_bucket_versioning("paused", VersioningConfig(SUSPENDED))
    buckets = (BUCKET, PLAIN, "paused")
    before = {name: client.get_bucket_versioning(name).status for name in buckets}
    assert len(set(before.values())) == 3
    folder = taken(nodes, tmp_path / "taken")
    for bucket in buckets:
        for item in list(client.list_objects(bucket, include_version=True, recursive=True)):
            client.remove_object(bucket, item.object_name, version_id=item.version_id)
        client.remove_bucket(bucket)
    assert objects.main(LOGIN, ["put", str(folder), *address(nodes)]) == 0
    assert {name: client.get_bucket_versioning(name).status for name in buckets} == before
    assert (len(told(nodes, PLAIN)), len(told(nodes, "paused"))) == (1, 2)


def test_headers_of_any_bytes_are_put_as_they_were(nodes: Trio, tmp_path: Path) -> None:
    folder = taken(nodes, tmp_path / "taken")
    client = nodes.client(1)
    for item in list(client.list_objects(BUCKET, include_version=True, recursive=True)):
        client.remove_object(BUCKET, item.object_name, version_id=item.version_id)
    index = folder / objects.INDEX
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    word = "caf\u00e9 caf\u00c3\u00a9  two"  # a byte of Latin-1, two of UTF-8, and two spaces
    for line in lines:
        if line["key"] is not None and not line["marker"]:
            line["headers"]["x-amz-meta-number"] = word
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert objects.main(LOGIN, ["put", str(folder), *address(nodes)]) == 0
    [told_word] = {told_word for _, marker, _, told_word in told(nodes, BUCKET) if not marker}
    assert told_word.split() == word.split()


class Unread(objects.Minio):
    """A node that answers 404 for the content of one key, and lists it for as long as that is wanted."""

    listed = True

    def ask(self, method: str, path: str, query: Any = None, **rest: Any) -> Any:
        """Ask for a version that is not there, in the place of that key's."""
        if path.endswith("/a/b") and "versionId" in (query or {}):
            query = {"versionId": "00000000-0000-0000-0000-000000000000"}
        return super().ask(method, path, query, **rest)

    def lists(self, entry: Any) -> bool:
        """Take every key that is asked for as deleted, where that is wanted."""
        return super().lists(entry) and self.listed


def test_a_version_that_is_listed_and_cannot_be_read_ends_the_backup(
    nodes: Trio, tmp_path: Path
) -> None:
    for name in ("listed", "deleted"):
        (tmp_path / name).mkdir()
    with closing(Unread(LOGIN, *address(nodes))) as minio:
        with pytest.raises(objects.WorkError, match="a/b is listed, and cannot be read"):
            objects.take(minio, tmp_path / "listed")
        minio.listed = False
        objects.take(minio, tmp_path / "deleted")
    assert objects.counted(tmp_path / "deleted")["versions"] == 2 * len(KEYS) - 2


def test_a_bucket_that_is_not_empty_is_refused_before_anything_is_put(
    nodes: Trio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = taken(nodes, tmp_path / "taken")
    before = told(nodes, BUCKET)
    assert objects.main(LOGIN, ["put", str(folder), *address(nodes)]) == 1
    assert "is not empty; nothing was put" in capsys.readouterr().err
    assert told(nodes, BUCKET) == before


def test_a_wrong_password_takes_nothing_and_is_not_told(
    nodes: Trio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert objects.main(f"{USER}:wrong-word", ["take", str(tmp_path), *address(nodes)]) == 1
    said = capsys.readouterr().err
    assert "403" in said
    assert "wrong-word" not in said


def test_each_damage_is_found(nodes: Trio, tmp_path: Path) -> None:
    folder = taken(nodes, tmp_path / "taken")
    index = folder / objects.INDEX
    lines = index.read_text()
    content = next(
        path
        for path in (folder / objects.DATA).rglob("*")
        if path.is_file() and path.stat().st_size
    )
    whole = content.read_bytes()
    content.write_bytes(whole[:-1] + b"X")
    assert objects.main("", ["prove", str(folder)]) == 65
    content.unlink()
    assert objects.main("", ["prove", str(folder)]) == 65
    content.write_bytes(whole)
    for damaged in (
        lines.splitlines()[0] + "\n",
        lines + "{",
        lines.replace('"etag": "', '"etag": "0'),
    ):
        index.write_text(damaged)
        assert objects.main("", ["prove", str(folder)]) == 65
    index.write_text(lines)
    assert objects.main("", ["prove", str(folder)]) == 0

"""`kbz versions`: every image is asked for before anything changes, and a missing one is never replaced in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.images.registry import (
    EngineRegistry,
    HttpRegistry,
    registry_of,
    split_reference,
)
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.site.versions import parse_versions
from tests.flow.servers.registry_server import Tags, serving_registry
from tests.flow.support.agent_host import ROOT
from tests.flow.support.unix_server import respond, serving
from tests.support import warm

INVENTORY = ROOT / "inventory"


def digest_of(name: str) -> str:
    return "sha256:" + name.encode().hex().ljust(64, "0")[:64]


def full() -> dict[str, dict[str, str]]:
    """Return every image of the real file that is pulled."""
    images: dict[str, dict[str, str]] = {}
    for version in parse_versions((INVENTORY / "versions.yaml").read_bytes(), "x").values():
        if version.name != "patroni":
            repository, tag = split_reference(version.reference)
            images.setdefault(repository, {})[tag] = digest_of(version.name)
    return images


@dataclass(frozen=True)
class Versions:
    """A copy of the repository's site, whose registry is a test's own."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "versions.yaml"

    def __call__(self, *words: str) -> tuple[int, str]:
        configuration = str(self.folder / "nornir_config.yaml")
        code, stdout, stderr = warm.call(("--config", configuration, "versions", *words), 60)
        assert "Traceback" not in stderr
        return code, stdout + stderr

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, text = self(*words, "--format", "json")
        return code, json.loads(text)

    def site(self, registry: str, extra: str = "") -> None:
        (self.folder / "overlay.yaml").write_text(
            f"paths:\n  state: {self.folder / 'state'}\n  credentials: {self.folder / 'none'}\n"
            f"  builder_socket: {self.folder / 'docker.sock'}\n"
            f"parameters:\n  versions.registry: {registry}\n{extra}"
        )


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    shutil.copy(INVENTORY / "versions.yaml", tmp_path)
    text = (ROOT / "nornir_config.yaml").read_text()
    lines = [line for line in text.splitlines() if "overlay:" not in line]
    text = "\n".join(lines).replace("inventory/versions.yaml", str(tmp_path / "versions.yaml"))
    text = text.replace("inventory/", f"{INVENTORY}/")
    overlay = f"user_defined:\n  overlay: {tmp_path}/overlay.yaml"
    (tmp_path / "nornir_config.yaml").write_text(text.replace("user_defined:", overlay))
    made = Versions(tmp_path)
    made.site("none")
    return made


@pytest.fixture
def tags() -> Tags:
    return Tags(full())


@pytest.fixture
def registry(versions: Versions, tags: Tags) -> Iterator[str]:
    with serving_registry(tags) as url:
        versions.site(url)
        yield url


class TestCheck:
    def test_the_repository_is_clean(self, versions: Versions) -> None:
        code, said = versions("check")
        *warnings, last = said.splitlines()
        assert (code, last) == (0, f"0 problems, {len(warnings)} warnings")
        # Of digests that nobody has recorded yet, and of upstreams that are going: nothing that is wrong.
        assert all(line.startswith("warning: versions.yaml:") for line in warnings)

    @pytest.mark.parametrize("tag", ["latest", "7-alpine"])
    def test_a_floating_tag_has_its_line(self, versions: Versions, tag: str) -> None:
        text = versions.file.read_text().replace("redis:7.2.5-alpine", f"redis:{tag}")
        versions.file.write_text(text)
        line = text[: text.index(f"redis:{tag}")].count("\n")
        code, said = versions("check")
        assert code == 3
        assert f"{versions.file}:{line}: redis:{tag}" in said

    def test_an_image_of_a_description_that_is_not_listed(self, versions: Versions) -> None:
        text = versions.file.read_text().replace("  haproxy:\n", "  haproxy-of-old:\n")
        versions.file.write_text(text.replace("  patroni:\n", "  patroni-of-old:\n"))
        code, said = versions("check")
        assert code == 3
        assert "image patroni is not listed" in said
        assert "Traceback" not in said


class TestVerify:
    def test_every_image_is_asked_for_once(
        self, versions: Versions, registry: str, tags: Tags
    ) -> None:
        code, document = versions.json("verify")
        assert code == 0
        found = {name: image["status"] for name, image in document["images"].items()}
        assert found.pop("patroni") == "built by kbz"
        assert set(found.values()) == {"present"}
        assert document["images"]["redis"]["digest"] == digest_of("redis")
        assert sorted(tags.asked) == sorted(
            f"HEAD /v2/{repository}/manifests/{tag}"
            for repository, known in tags.images.items()
            for tag in known
        )
        assert all("manifest.list" in accept for accept in tags.accepted)

    def test_an_override_stays_visible(self, versions: Versions, registry: str) -> None:
        _, said = versions("verify")
        assert "instead of minio/minio:RELEASE.2024-10-02T10-00Z: A4: " in said

    def test_a_missing_tag_is_a_stop_with_proposals_and_no_fallback(
        self, versions: Versions, registry: str, tags: Tags
    ) -> None:
        tags.images["library/redis"] = {"7.2.4-alpine": "sha256:x", "7.2.6-alpine": "sha256:y"}
        before = versions.file.read_bytes()
        code, document = versions.json("verify")
        assert code == 3
        image = document["images"]["redis"]
        assert image["status"] == "missing"
        assert image["digest"] is None
        assert "7.2.4-alpine" in image["hint"]
        assert "7.2.6-alpine" in image["hint"]
        assert "decide with the owner" in image["hint"]
        code, said = versions("lock")
        assert code == 3
        assert "nothing was written" in said
        assert versions.file.read_bytes() == before

    @pytest.mark.parametrize("status", [401, 429, 500])
    def test_a_registry_that_does_not_say_is_unknown_and_not_missing(
        self, versions: Versions, registry: str, tags: Tags, status: int
    ) -> None:
        tags.status = status
        code, document = versions.json("verify")
        assert code == 4
        assert document["images"]["redis"]["status"] == "unknown"
        assert str(status) in document["images"]["redis"]["message"]

    def test_no_registry_at_all(self, versions: Versions) -> None:
        versions.site("http://127.0.0.1:9")
        code, said = versions("verify")
        assert code == 4
        assert "the registry does not answer" in said


class TestLock:
    def test_digests_are_written_and_everything_else_stays(
        self, versions: Versions, registry: str
    ) -> None:
        before = versions.file.read_text().splitlines()
        assert versions("lock")[0] == 0
        after = versions.file.read_text().splitlines()
        assert [line for line in after if "digest:" not in line] == before
        found = parse_versions(versions.file.read_bytes(), "x")
        assert found["redis"].digest == digest_of("redis")
        assert found["patroni"].digest == ""
        text = versions.file.read_bytes()
        assert versions("lock")[0] == 0
        assert versions.file.read_bytes() == text
        assert versions("check")[0] == versions("verify")[0] == 0

    def test_one_image_is_locked_though_another_is_missing(
        self, versions: Versions, registry: str, tags: Tags
    ) -> None:
        tags.images["library/haproxy"] = {}
        assert versions("lock")[0] == 3
        assert versions("lock", "redis")[0] == 0
        found = parse_versions(versions.file.read_bytes(), "x")
        assert (found["redis"].digest, found["haproxy"].digest) == (digest_of("redis"), "")
        assert versions("verify", "redis")[0] == 0
        code, said = versions("lock", "radis")
        assert code == 64
        assert "versions.yaml has no image radis" in said

    def test_a_tag_that_moved_is_refused_until_somebody_accepts_it(
        self, versions: Versions, registry: str, tags: Tags
    ) -> None:
        versions("lock")
        before = versions.file.read_bytes()
        tags.images["library/redis"]["7.2.5-alpine"] = digest_of("another")
        code, said = versions("verify")
        assert code == 3
        assert "redis:7.2.5-alpine is not the image that was locked" in said
        assert versions("lock")[0] == 3
        assert versions.file.read_bytes() == before
        assert versions("lock", "--moved")[0] == 0
        found = parse_versions(versions.file.read_bytes(), "x")
        assert found["redis"].digest == digest_of("another")

    def test_where_images_are_stand_ins_nothing_is_locked_by_accident(
        self, versions: Versions, registry: str, tmp_path: Path
    ) -> None:
        versions.site(registry, "  versions.no_digests: they stand in\n")
        before = versions.file.read_bytes()
        code, said = versions("lock")
        assert code == 3
        assert "they stand in" in said
        assert versions.file.read_bytes() == before
        assert versions("lock", "--out", str(tmp_path / "locked.yaml"))[0] == 0
        found = parse_versions((tmp_path / "locked.yaml").read_bytes(), "x")
        assert found["haproxy"].digest == digest_of("haproxy")

    def test_a_form_that_takes_no_digest_is_refused_and_not_broken(
        self, versions: Versions, registry: str
    ) -> None:
        text = versions.file.read_text()
        versions.file.write_text(
            text.replace(
                "redis:\n    frozen: redis:7.2.5-alpine", "redis: {frozen: redis:7.2.5-alpine}"
            )
        )
        before = versions.file.read_bytes()
        code, _ = versions("lock")
        assert code != 0
        assert versions.file.read_bytes() == before


class TestThroughTheEngine:
    @pytest.mark.parametrize(
        ("status", "body", "found"),
        [
            (200, {"Descriptor": {"digest": "sha256:abc"}}, "sha256:abc"),
            (404, {"message": "manifest unknown"}, None),
            (500, {"message": "manifest for redis:7.2.5 not found: manifest unknown"}, None),
        ],
    )
    def test_what_the_engine_says(
        self, tmp_path: Path, status: int, body: object, found: str | None
    ) -> None:
        with serving(tmp_path / "docker.sock", lambda request: respond(status, body)) as server:
            asked = registry_of("none", tmp_path / "docker.sock")
            assert asked.digest("redis:7.2.5-alpine") == found
            assert server.asked == ["GET /distribution/redis:7.2.5-alpine/json"]

    @pytest.mark.parametrize(
        ("status", "body"), [(401, {"message": "unauthorized"}), (500, None), (200, {"x": 1})]
    )
    def test_anything_else_is_no_verdict(self, tmp_path: Path, status: int, body: object) -> None:
        with (
            serving(tmp_path / "docker.sock", lambda request: respond(status, body)),
            pytest.raises(ContactError),
        ):
            EngineRegistry(tmp_path / "docker.sock").digest("redis:7.2.5-alpine")

    def test_no_engine(self, tmp_path: Path) -> None:
        with pytest.raises(ContactError, match="Docker does not answer"):
            EngineRegistry(tmp_path / "docker.sock").digest("redis:7.2.5-alpine")


def test_a_registry_is_a_url_or_none(tmp_path: Path) -> None:
    assert isinstance(registry_of("http://127.0.0.1:5000/", tmp_path), HttpRegistry)
    for text in ("", "127.0.0.1:5000", "ftp://x"):
        with pytest.raises(InputError, match=r"versions\.registry is no URL"):
            registry_of(text, tmp_path)

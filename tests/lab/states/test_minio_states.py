"""MinIO in bad states: another release than the described one, and a Docker that hangs beside it.

Other tests may have used the lab before; it is as before afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import CACHE, REPOSITORY, Kbz, until
from tests.lab.support.states import agrees, findings
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab

RUN = ("run", "minio", "--limit", "minio", "--format", "json")
HEALTH = ("health", "base", "minio", "--limit", "minio", "--format", "json")
LIFT = ("--lift-freeze", "minio", "--reason", "the owner said so on the phone")
RELEASE, NEWER = "RELEASE.2024-10-02T17-50-41Z", "RELEASE.2024-11-07T00-52-20Z"
TAGS = "registry/docker/registry/v2/repositories/minio/minio/_manifests/tags"


@pytest.fixture(scope="module")
def kbz(minio_lab: Kbz) -> Kbz:
    """Three MinIO servers that are well, whatever ran before."""
    minio_lab.good(*RUN, *LIFT)
    return minio_lab


def containers(kbz: Kbz) -> set[str]:
    """Return id and start time of each host's container."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' minio"
    return {kbz.on(host, shown) for host in ("minio-01", "minio-02", "minio-03")}


@contextmanager
def also_tagged(release: str) -> Iterator[None]:
    """Let the lab's registry have its one image of MinIO under another release too, until the block ends."""
    there = CACHE / TAGS / release
    shutil.copytree(CACHE / TAGS / RELEASE, there, dirs_exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(there)


class TestBadStates:
    def test_another_release_on_every_node_is_named_and_is_the_owners_matter(
        self, kbz: Kbz
    ) -> None:
        """K-81: the site describes a newer release than all three run."""
        before, versions = containers(kbz), REPOSITORY / "inventory" / "versions.yaml"
        newer, config = kbz.config.with_name("newer.yaml"), kbz.config.with_name("newer_site.yaml")
        newer.write_text(versions.read_text().replace(RELEASE, NEWER))
        config.write_text(kbz.config.read_text().replace(str(versions), str(newer)))
        site = replace(kbz, config=config)
        with also_tagged(NEWER):
            refused, plan = site(*RUN), site("plan", "minio", "--limit", "minio")
        assert refused.code == ExitCode.REFUSED, refused.stdout
        for said in (refused.json()["error"], plan.stdout + plan.stderr):
            assert "which is 2024-10-02T17:50:41Z" in " ".join(said.split())
        assert containers(kbz) == before

    def test_a_docker_that_hangs_is_named_and_the_rest_of_its_host_is_answered(
        self, kbz: Kbz
    ) -> None:
        """S-44: SIGSTOP of dockerd; MinIO goes on."""
        state = Seen("S-44", "minio-01", "base.docker.running", (), told_of="minio-01")
        kbz.on("minio-01", "kill -STOP $(pidof dockerd)")
        try:
            with ThreadPoolExecutor(1) as beside:  # each look waits for its answer
                looking = beside.submit(kbz, *HEALTH)
                assert wrong(kbz, [state], "minio") == []
                found = looking.result().json()["findings"]
            agrees(kbz, "minio-01", "timeout 3 docker version || echo it hangs", "it hangs")
        finally:
            kbz.on("minio-01", "kill -CONT $(pidof dockerd)")
        mine = {item["check"]: item for item in found if item["host"] == "minio-01"}
        told = mine["base.docker.running"]
        assert (told["level"], "dockerd hangs" in told["message"]) == ("critical", True), told
        assert {mine[check]["level"] for check in ("base.system.read", "minio.drive.own")} == {"ok"}
        until(lambda: findings(kbz, "minio", "minio") == {}, 60, "all are well again")

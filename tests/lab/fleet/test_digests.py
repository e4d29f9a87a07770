"""Frozen images by digest, with a real registry and real Docker: locked, mirrored, and run exactly so (VER-1).

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.lab import service
from keybuzz.lab.supply import registry
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.site.versions import parse_versions
from tests.lab.conftest import CACHE, REPOSITORY, Kbz, bare_lab, write_site

pytestmark = pytest.mark.lab

LAB = "kbz-digests"
HOSTS = ("redis-01", "redis-02", "redis-03")
REFERENCE = "redis:7.2.5-alpine"
REASON = "another image of the same tag was run by hand"
LIFTED = ("run", "redis", "--limit", "redis", "--lift-freeze", "redis", "--reason", REASON)


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """A lab of three bare Redis servers, whose site goes by tags; gone at the end."""
    with bare_lab(tmp_path_factory.mktemp("tags"), LAB, "--limit", "redis") as made:
        yield made


@pytest.fixture(scope="module")
def kbz(tags: Kbz, tmp_path_factory: pytest.TempPathFactory) -> Kbz:
    """The same lab, from a site that compares digests, with a versions.yaml of its own."""
    folder = tmp_path_factory.mktemp("digests")
    made = write_site(folder, LAB)
    versions = REPOSITORY / "inventory" / "versions.yaml"
    (folder / "versions.yaml").write_text(versions.read_text())
    _edit(folder / "nornir_config.yaml", str(versions), f"{folder}/versions.yaml")
    overlay = folder / "lab.yaml"
    kept = [line for line in overlay.read_text().splitlines() if "versions.no_digests" not in line]
    overlay.write_text("\n".join(kept) + "\n")
    return made


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def locked(kbz: Kbz) -> str:
    """Return the digest that versions.yaml holds for Redis."""
    text = (kbz.config.parent / "versions.yaml").read_bytes()
    return parse_versions(text, "versions.yaml")["redis"].digest


def inspected(kbz: Kbz, host: str, what: str, field: str) -> str:
    return kbz.on(host, f"docker inspect -f '{field}' {what}").strip()


def test_a_mirrored_image_is_there_without_the_host_having_pulled_it(tags: Kbz) -> None:
    tags.good("run", "base", "--limit", "redis-03")
    tags.good("versions", "mirror", "--limit", "redis-03")
    assert inspected(tags, "redis-03", REFERENCE, "{{len .RepoDigests}}") == "0"
    again = tags.good("versions", "mirror", "--limit", "redis-03", "--format", "json").json()
    assert again["hosts"]["redis-03"]["changed"] == 0


def test_the_registrys_digest_is_locked(kbz: Kbz) -> None:
    assert locked(kbz) == ""
    kbz.good("versions", "lock", "redis")
    assert locked(kbz).startswith("sha256:")
    kbz.good("versions", "verify", "redis")


def test_containers_run_exactly_the_locked_digest(kbz: Kbz) -> None:
    kbz.good("run", "redis", "--limit", "redis")
    exact = f"{REFERENCE}@{locked(kbz)}"
    for host in HOSTS:
        for container in ("redis", "redis-sentinel"):
            assert inspected(kbz, host, container, "{{.Config.Image}}") == exact
        assert locked(kbz) in inspected(kbz, host, exact, "{{.RepoDigests}}")
    document = kbz.good("run", "redis", "--limit", "redis", "--format", "json").json()
    assert document["plan"]["size"] == 0


def test_a_container_of_the_tag_that_lies_there_is_drift_and_is_replaced(kbz: Kbz) -> None:
    """Somebody made another image of the same tag on the host and ran it: nobody sees that by the tag."""
    exact = f"{REFERENCE}@{locked(kbz)}"
    before = {host: inspected(kbz, host, "redis", "{{.Id}}") for host in HOSTS[:2]}
    kbz.on(
        "redis-03",
        "docker commit -m 'by hand' redis-sentinel redis:7.2.5-alpine && docker rm -f redis-sentinel && "
        "docker run -d --name redis-sentinel --network host --restart unless-stopped --user redis "
        "-v /opt/keybuzz/redis/conf:/opt/keybuzz/redis/conf:ro -v /opt/keybuzz/redis/runtime/sentinel:/data:rw "
        f"{REFERENCE} redis-sentinel /data/sentinel.conf "
        "--include /opt/keybuzz/redis/conf/sentinel-options.conf",
    )
    drift = kbz("drift", "redis", "--limit", "redis", "--format", "json")
    assert drift.code == 2
    found = {(c["host"], c["resource"]) for c in drift.json()["plan"]["changes"]}
    assert ("redis-03", "container:redis-sentinel") in found
    assert {host for host, _ in found} == {"redis-03"}
    kbz.good(*LIFTED)
    assert inspected(kbz, "redis-03", "redis-sentinel", "{{.Config.Image}}") == exact
    assert {host: inspected(kbz, host, "redis", "{{.Id}}") for host in HOSTS[:2]} == before


def test_a_replaced_node_needs_no_registry(kbz: Kbz, tags: Kbz) -> None:
    """Upstreams vanish: what the other members hold is where a new machine gets its image from."""
    kbz.good("lab", "reset", "redis-03", "--confirm", LAB)
    service.stop(LabSettings(LAB, tags.root, CACHE), registry.NAME)
    assert kbz("versions", "verify", "redis").code == 4
    kbz.good(
        "run", "redis", "--limit", "redis", "--lift-freeze", "redis", "--reason", "a new machine"
    )
    ids = {host: inspected(kbz, host, "redis", "{{.Image}}") for host in HOSTS}
    assert len(set(ids.values())) == 1
    stand_in = f"redis:{locked(kbz).replace(':', '-')}"
    assert inspected(kbz, "redis-03", "redis", "{{.Config.Image}}") == stand_in
    assert inspected(kbz, "redis-03", REFERENCE, "{{.Id}}") == ids["redis-03"]
    assert (
        kbz.good("run", "redis", "--limit", "redis", "--format", "json").json()["plan"]["size"] == 0
    )
    assert (
        kbz.good("drift", "redis", "--limit", "redis", "--format", "json").json()["plan"]["size"]
        == 0
    )


def test_mirror_takes_an_image_from_a_host(kbz: Kbz) -> None:
    kbz.good("lab", "reset", "redis-03", "--confirm", LAB)
    kbz.good("run", "base", "--limit", "redis-03")
    done = kbz.good(
        *("versions", "mirror", "redis", "--from", "redis-01", "--limit", "redis-03"),
        *("--format", "json"),
    ).json()
    assert done["hosts"]["redis-03"]["changed"] == 1
    assert inspected(kbz, "redis-03", REFERENCE, "{{.Id}}") == inspected(
        kbz, "redis-01", REFERENCE, "{{.Id}}"
    )

"""`kbz lab up --images upstream`: the same lab, whose hosts run what a registry serves under the upstream names.

The registry is the test's own. That the images are stand-ins does not matter here: the way is the one of real images.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keybuzz.lab.supply.stand_ins import stand_ins
from tests.lab.conftest import Kbz, write_site
from tests.lab.support.own_registry import own_registry

pytestmark = pytest.mark.lab

LAB = "kbz-upstream"
REFERENCE = "redis:7.2.5-alpine"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    served = [one for one in stand_ins() if one.reference == REFERENCE]
    with own_registry(tmp_path_factory.mktemp("registry"), served) as address:
        yield address


@pytest.fixture(scope="module")
def kbz(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    made = write_site(tmp_path_factory.mktemp("upstream"), LAB)
    made.good("lab", "down", "--wipe")
    try:
        words = ("--images", "upstream", "--registry", registry, "--limit", "redis")
        made.good("lab", "up", *words, timeout=1800)
        made.good("secrets", "init")
        yield made
    finally:
        made.good("lab", "down", "--wipe")


def test_the_hosts_run_what_the_registry_serves(kbz: Kbz, registry: str) -> None:
    kbz.good("run", "redis", "--limit", "redis")
    assert (
        kbz.good("run", "redis", "--limit", "redis", "--format", "json").json()["plan"]["size"] == 0
    )
    (row,) = [
        row
        for row in kbz.good("lab", "images", "--format", "json").json()["images"]
        if row["reference"] == REFERENCE
    ]
    assert row["provenance"] == f"{registry}/library/{REFERENCE}"
    assert row["in_registry"]
    inspect = "docker inspect -f '{{.Image}}' redis"
    assert kbz.on("redis-01", inspect).strip() == row["id"]


def test_a_lab_never_mixes_real_images_and_stand_ins(kbz: Kbz, registry: str) -> None:
    refused = kbz("lab", "up", "--images", "stand-ins", "--limit", "redis")
    assert refused.code == 3
    assert f"were made on the images of {registry}" in refused.stderr
    kbz.good("lab", "up", "--limit", "redis")


def test_an_image_that_the_registry_lacks_is_told(kbz: Kbz, registry: str) -> None:
    done = kbz("lab", "up", "--limit", "redis,haproxy-01")
    assert done.code == 1
    assert f"{registry}/library/haproxy:2.8.5 cannot be pulled" in done.stderr
    assert "--registry names a registry" in done.stderr

"""Which data an image of Redis can load comes from one table by version."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import InputError
from tasks.redis.formats import RDB_BY_VERSION, first_version, newest_rdb


@pytest.mark.parametrize(
    ("image", "rdb"),
    [
        ("redis:7.2.5-alpine", 11),
        ("redis:7.2.5-alpine@sha256:0123", 11),
        ("registry.lab:5000/library/redis:7.4.7-alpine", 12),
        ("redis:7.0.15", 10),
        ("redis:6.2.14", 9),
        ("redis:8.4.0", 12),
        ("redis:8.6.1", 13),
        ("redis:9.0", 14),
    ],
)
def test_an_image_loads_what_its_version_knows(image: str, rdb: int) -> None:
    assert newest_rdb(image) == rdb


@pytest.mark.parametrize("image", ["redis:latest", "redis:7-alpine", "redis"])
def test_a_tag_without_a_version_is_refused(image: str) -> None:
    with pytest.raises(InputError, match="names no version"):
        newest_rdb(image)


def test_the_way_out_names_a_version_that_loads_the_data() -> None:
    for _, rdb in RDB_BY_VERSION:
        version = first_version(rdb)
        assert newest_rdb(f"redis:{version}.1") >= rdb
    assert first_version(12) == "7.4"
    assert first_version(99) == ""

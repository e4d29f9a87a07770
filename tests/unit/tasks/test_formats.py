"""Which data an image loads comes from one table for each service, all of one form."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import tasks
from keybuzz.model.core.errors import InputError
from keybuzz.model.host.formats import Formats
from tasks.rabbitmq.formats import FORMATS as RABBITMQ
from tasks.redis.formats import FORMATS as REDIS
from tests.unit.support.site_values import memory_site

SITE = memory_site()
FOLDERS = sorted(path.parent.name for path in Path(tasks.__path__[0]).glob("*/formats.py"))
TABLES: dict[str, Formats] = {
    folder: import_module(f"tasks.{folder}.formats").FORMATS for folder in FOLDERS
}


def test_every_service_that_keeps_data_in_a_format_of_its_own_has_a_table() -> None:
    assert FOLDERS == ["galera", "minio", "patroni", "rabbitmq", "redis"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_table_begins_with_its_newest_row_and_knows_the_frozen_image(folder: str) -> None:
    table = TABLES[folder]
    since = [row.since for row in table.rows]
    assert since == sorted(since, reverse=True)
    assert len(set(since)) == len(since)
    frozen = SITE.image(table.image)
    assert table.loaded(frozen)
    assert table.loaded(table.example)
    assert not set(table.loaded(frozen)) & set(table.newer_than(frozen))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_way_out_names_a_version_that_loads_the_data(folder: str) -> None:
    table = TABLES[folder]
    for row in table.rows:
        version = table.first_version(row.formats[-1])
        newest = row.formats[-1]
        later = " or later" if newest in table.rows[0].formats else ""
        assert table.way_out(newest).startswith(f"put {table.service} {version}{later} into")
        assert tuple(map(int, version.split("."))) <= row.since
    assert table.first_version("of nobody") == ""
    assert "the version that wrote it" in table.way_out("of nobody")


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("tag", ["latest", "7-alpine"])
def test_a_tag_without_a_version_is_refused(folder: str, tag: str) -> None:
    with pytest.raises(InputError, match="names no version"):
        TABLES[folder].loaded(f"image:{tag}")


@pytest.mark.parametrize(
    ("folder", "image"),
    [
        ("patroni", "postgres:20.1-bookworm"),
        ("galera", "mariadb-galera:13.0.1"),
        ("redis", "redis:9.0.0"),
        ("rabbitmq", "rabbitmq:5.0.0"),
    ],
)
def test_a_version_after_the_table_is_refused_before_it_writes_data(
    folder: str, image: str
) -> None:
    """What it writes is not known: taken for the newest that is, its own data would be refused ever after."""
    with pytest.raises(InputError, match="is newer than what kbz knows"):
        TABLES[folder].loaded(image)


def test_other_majors_of_postgresql_open_no_data_of_this_one() -> None:
    assert "put PostgreSQL 15 into" in TABLES["patroni"].way_out("15")


def test_a_version_before_the_table_is_refused() -> None:
    with pytest.raises(InputError, match="is older than"):
        REDIS.loaded("redis:2.4.1")


@pytest.mark.parametrize(
    ("image", "rdb"),
    [
        ("redis:7.2.5-alpine", "11"),
        ("redis:7.2.5-alpine@sha256:0123", "11"),
        ("registry.lab:5000/library/redis:7.4.7-alpine", "12"),
        ("redis:7.0.15", "10"),
        ("redis:6.2.14", "9"),
        ("redis:8.4.0", "12"),
        ("redis:8.6.1", "13"),
        ("redis:8.9", "14"),
    ],
)
def test_redis_loads_what_its_version_knows(image: str, rdb: str) -> None:
    assert REDIS.newest(image) == rdb


def test_a_series_of_rabbitmq_knows_the_flags_of_the_older_ones_and_of_no_newer_one() -> None:
    frozen = RABBITMQ.loaded("rabbitmq:3.12.14-management")
    assert {"quorum_queue", "restart_streams"} < set(frozen)
    newer = RABBITMQ.newer_than("rabbitmq:3.12.14-management")
    assert {"message_containers", "khepri_db", "rabbitmq_4.0.0"} < set(newer)
    assert RABBITMQ.newer_than("rabbitmq:4.0.5") == ("rabbitmq_4.1.0", "rabbitmq_4.2.0")
    assert RABBITMQ.first_version("message_containers") == "3.13"
    assert max(newer, key=RABBITMQ.age) == "rabbitmq_4.2.0"


def test_postgresql_opens_its_own_major_version_only() -> None:
    assert TABLES["patroni"].loaded("postgres:16.4-bookworm") == ("16",)


def test_mariadb_opens_older_series() -> None:
    loaded = TABLES["galera"].loaded("mariadb:10.11.6")
    assert (loaded[-1], "10.6" in loaded, "11.4" in loaded) == ("10.11", True, False)

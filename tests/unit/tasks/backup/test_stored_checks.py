"""What the checks say of the services in the repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.model.core.finding import Level
from keybuzz.model.core.reading import Answer
from tasks.backup import MODULE
from tasks.backup.desired import look
from tasks.backup.store.archive import THERE
from tasks.backup.store.services import SERVICES
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.backup.backup_world import (
    DAY,
    HOUR,
    NOW,
    STORED,
    archive,
    in_repository,
    kept,
    listed,
    live,
)

YOUNG = archive(since=NOW - HOUR)


def told(repository: Mapping[str, Answer], said: object = None) -> dict[str, tuple[Level, str]]:
    found = MODULE.checks(live(said, repository=repository))
    return {one.check: (one.level, f"{one.message} → {one.hint}") for one in found}


@pytest.mark.parametrize("service", STORED)
@pytest.mark.parametrize(
    ("check", "level", "said", "others"),
    [
        ("age", Level.OK, "1.0 h old", {}),
        ("age", Level.CRITICAL, "27.0 h old", {"ended": NOW - 27 * HOUR}),
        ("age", Level.CRITICAL, "-1.0 h old", {"ended": NOW + HOUR}),
        ("age", Level.CRITICAL, "no good backup", {"wrong": "damaged"}),
        ("verified", Level.CRITICAL, "must not be restored: damaged", {"wrong": "damaged"}),
        ("verified", Level.WARN, "no backup was ever verified", {"verified": 0}),
        ("verified", Level.WARN, "9.0 days ago", {"verified": NOW - 9 * DAY}),
        ("verified", Level.OK, "1.0 days ago", {}),
        ("restored", Level.OK, "5.0 days ago", {}),
    ],
)
def test_what_is_listed_is_judged(
    service: str, check: str, level: Level, said: str, others: dict[str, Any]
) -> None:
    found = told(in_repository(kept(service, **others)))[f"backup.{service}.{check}"]
    assert found[0] is level
    assert said in found[1]


@pytest.mark.parametrize("service", STORED)
def test_each_service_names_its_own_command(service: str) -> None:
    found = told(in_repository(restored={}))
    assert found[f"backup.{service}.age"][1].endswith(f"kbz backup run {service}")
    assert found[f"backup.{service}.restored"][1].endswith(f"kbz drill restore {service}")
    assert found[f"backup.{service}.restored"][0] is Level.WARN


def test_on_the_first_day_a_missing_backup_only_warns() -> None:
    assert told(listed(""), YOUNG)["backup.redis.age"][0] is Level.WARN
    assert told(listed(""))["backup.redis.age"][0] is Level.CRITICAL
    damaged = in_repository(kept("redis", wrong="damaged"))
    assert told(damaged, YOUNG)["backup.redis.age"][0] is Level.CRITICAL


def test_a_damaged_one_with_a_newer_good_one_warns() -> None:
    old = kept("redis", wrong="damaged", ended=NOW - 2 * HOUR)
    found = told(in_repository(old, kept("redis", "fedcba9876543210")))
    assert found["backup.redis.verified"][0] is Level.WARN
    assert found["backup.redis.age"][0] is Level.OK


@pytest.mark.parametrize("text", ["no list", "[]", '{"copies": [{}], "since": 0, "restored": {}}'])
def test_a_list_that_is_none_is_unknown_and_never_good(text: str) -> None:
    for name in ("age", "verified", "restored"):
        level, said = told(listed(text))[f"backup.kbz.{name}"]
        assert level is Level.UNKNOWN
        assert "the next backup or restore makes it again" in said


@pytest.mark.parametrize(
    "entry",
    [
        kept("redis", "../../etc/passwd"),
        kept("redis", ended=float("inf")),
        kept("redis", ended=True),
        kept("redis", size="many"),
    ],
)
def test_what_the_host_lists_is_checked(entry: dict[str, object]) -> None:
    assert told(in_repository(entry))["backup.redis.age"][0] is Level.UNKNOWN


def test_what_cannot_be_asked_is_unknown() -> None:
    there = {**listed(""), THERE: Answer(THERE, problem="Input/output error")}
    level, said = told(there)["backup.rabbitmq.age"]
    assert level is Level.UNKNOWN
    assert "Input/output error" in said


def test_only_services_of_the_site_are_judged() -> None:
    site = memory_site()
    assert set(look(site).limits.services) == set(STORED)
    less = replace(site, servers=tuple(s for s in site.servers if "redis" not in s.groups))
    assert "redis" not in look(less).limits.services


def test_each_service_in_the_repository_has_its_checks_and_what_they_mean() -> None:
    known = {info.id for info in MODULE.check_infos}
    judged = told(listed(""))
    for stored in SERVICES:
        names = {f"backup.{stored.service}.{name}" for name in ("age", "verified", "restored")}
        assert names <= known
        assert names <= judged.keys()

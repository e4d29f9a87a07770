"""The whole old fleet of modules 2 to 7 and 9: adopt looks at all of it, and what it foretells is what the runs do.

The tests of this file build on each other, in the order of the file. Module 9 is looked at, and not brought over.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keybuzz.lab.legacy.description import modules
from tests.lab.conftest import SERVICES, Kbz
from tests.lab.legacy import (
    daemons,
    test_legacy_galera,
    test_legacy_k3s,
    test_legacy_minio,
    test_legacy_patroni,
    test_legacy_rabbitmq,
    test_legacy_redis,
)
from tests.lab.legacy.old_fleet import OldFleet, foretold_restarts, interrupted, running
from tests.lab.legacy.story import Story

pytestmark = [pytest.mark.lab, pytest.mark.long]

STORIES = tuple(
    one.STORY
    for one in (
        test_legacy_patroni,
        test_legacy_redis,
        test_legacy_rabbitmq,
        test_legacy_minio,
        test_legacy_galera,
    )
)
ENTRIES = ("haproxy-01", "haproxy-02")
BROUGHT = (*(host for story in STORIES for host in story.members), *ENTRIES, *daemons.PROXYSQL)
HOSTS = (*BROUGHT, *test_legacy_k3s.HOSTS)
LIMIT = f"{SERVICES[1]},k3s"
ORDER = tuple(module for story in STORIES for module in story.modules)


@pytest.fixture(scope="module")
def old(bring_up: Callable[..., Kbz]) -> OldFleet:
    """Every old deployment, each on its own servers, with data."""
    made = OldFleet(bring_up("kbz-old", "--limit", LIMIT), HOSTS, LIMIT)
    done = made.kbz.good("lab", "legacy", "all", timeout=1800)
    assert f"{len(modules())} of {len(modules())} old deployments run" in done.stdout
    return made


def counters(old: OldFleet) -> dict[str, object]:
    """Return what the daemons of all services count of writes and changes."""
    found = [story.counters(old) for story in STORIES]
    return {
        **{name: value for one in found for name, value in one.items()},
        **test_legacy_k3s.counters(old),
    }


def test_adopt_all_changes_nothing_and_tells_no_secret(old: OldFleet) -> None:
    before = counters(old)
    found = old.foretold("all")
    old.looked("plan", "all", "--limit", old.limit)
    old.looked("drift", "all", "--limit", old.limit)
    assert counters(old) == before
    assert set(ORDER) | {"k3s"} <= set(found)
    for name in (*ORDER, "k3s"):
        assert found[name]["differences"], name


def test_the_live_credentials_of_all_are_taken_over_and_no_refusal_is_left(old: OldFleet) -> None:
    for name, said in old.foretold("all").items():
        if said["refusals"]:
            old.looked("adopt", name, "--take-credentials", "--confirm", name, codes=(0, 2))
    found = old.foretold("all")
    every = ("base", *ORDER, "k3s")
    assert {name: found[name]["refusals"] for name in every} == {name: [] for name in every}


@pytest.fixture(scope="module")
def foretold(old: OldFleet) -> dict[str, set[tuple[str, str]]]:
    """Return by module what adopt foretells that runs restart, from before the first of them."""
    return {name: foretold_restarts({name: said}) for name, said in old.foretold("all").items()}


def hosts_of(story: Story) -> tuple[str, ...]:
    """Return the servers of one service, those of its entry with them."""
    entries = tuple(daemons.PROXYSQL) if "proxysql" in story.modules else ENTRIES
    return (*story.members, *(entries if len(story.modules) > 1 else ()))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.data)
def test_what_it_foretells_is_what_the_runs_do(
    old: OldFleet, foretold: dict[str, set[tuple[str, str]]], story: Story
) -> None:
    """Service by service, the entry before its cluster."""
    here = OldFleet(old.kbz, hosts_of(story), ",".join(hosts_of(story)))
    before, data = running(here), story.content(old, story.members[0])
    for module in story.modules:
        done = old.kbz.good(*old.lifted(module), timeout=1200)
        old.untold(done.stdout + done.stderr)
    of_base = {item for item in foretold["base"] if item[0] in here.hosts}
    expected = of_base.union(*(foretold[module] for module in story.modules))
    print(f"{story.data}: {len(expected)} restarts foretold")
    assert interrupted(before, running(here)) == expected
    foretold["base"] -= of_base  # the entries' servers have it with the first service
    assert {story.content(old, host) for host in story.members} == {data}


def test_the_fleet_is_as_described_afterwards(old: OldFleet) -> None:
    brought = OldFleet(old.kbz, BROUGHT, SERVICES[1])
    after = running(brought)
    done = old.kbz.good("run", *ORDER, "--limit", brought.limit, "--format", "json")
    assert done.json()["plan"]["size"] == 0
    assert running(brought) == after
    assert {item for item in brought.strays(*ORDER) if "/cron:" not in item} == set()

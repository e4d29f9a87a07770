"""The whole old fleet of modules 2 to 7 and 9: adopt looks at all of it, and takes its credentials over.

The tests of this file build on each other, in the order of the file.
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
from tests.lab.legacy.old_fleet import OldFleet

pytestmark = [pytest.mark.lab, pytest.mark.long]

STORIES = tuple(
    one.STORY
    for one in (test_legacy_redis, test_legacy_rabbitmq, test_legacy_minio, test_legacy_galera)
)
LIMIT = f"{SERVICES[1]},k3s"
HOSTS = (
    *(host for story in STORIES for host in story.members),
    *(*daemons.PROXYSQL, *test_legacy_patroni.HOSTS, *test_legacy_k3s.HOSTS),
)
ORDER = (*test_legacy_patroni.MODULES, *(module for story in STORIES for module in story.modules))


@pytest.fixture(scope="module")
def old(bring_up: Callable[..., Kbz]) -> OldFleet:
    """Every old deployment, each on its own servers, with data."""
    made = OldFleet(bring_up("kbz-old", "--limit", LIMIT), HOSTS, LIMIT)
    done = made.kbz.good("lab", "legacy", "all", timeout=1800)
    assert f"{len(modules())} of {len(modules())} old deployments run" in done.stdout
    return made


def counters(old: OldFleet) -> dict[str, object]:
    """Return what the daemons of all services count of writes and changes."""
    found = [*(story.counters(old) for story in STORIES), test_legacy_patroni.written(old)]
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

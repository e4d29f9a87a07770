"""An old entry leads to the same member for ever: it is brought over before the cluster behind it hands over."""

from __future__ import annotations

import pytest

from keybuzz.engine.adopt.adopt import entries_first
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.live import Live
from keybuzz.model.reports.adoption import Adoption, ModuleAdoption
from keybuzz.report.screen.adoption import adoption_text
from tests.unit.engine.adopt.test_stages import MODULES, SITE, outdated
from tests.unit.tasks.healthy import healthy


def first(name: str, **lives: Live) -> tuple[str, ...]:
    known = {key.replace("_", "-"): live for key, live in lives.items()}
    return entries_first(MODULES[name], all_modules(), SITE, known)


@pytest.mark.parametrize(
    ("cluster", "entry"),
    [("redis", "redis-proxy"), ("patroni", "postgres-proxy"), ("galera", "proxysql")],
)
def test_the_entry_comes_first_when_it_differs_or_was_not_looked_at(
    cluster: str, entry: str
) -> None:
    key = entry.replace("-", "_")
    assert first(cluster, **{cluster: outdated(cluster)}) == (entry,)
    assert first(cluster, **{cluster: outdated(cluster), key: outdated(entry)}) == (entry,)
    assert first(cluster, **{cluster: outdated(cluster), key: healthy(entry)}) == ()


@pytest.mark.parametrize("name", ["rabbitmq", "redis-proxy", "base", "minio"])
def test_where_no_leader_hands_over_behind_an_entry_there_is_no_order(name: str) -> None:
    assert first(name, **{name.replace("-", "_"): outdated(name)}) == ()


def test_a_cluster_that_is_not_interrupted_needs_no_order() -> None:
    assert first("redis", redis=healthy("redis")) == ()


def test_the_order_is_told() -> None:
    found = ModuleAdoption("redis", (), (), (), False, 0, 3, entries=("redis-proxy",))
    text = adoption_text(Adoption((found,), {}, 0.1))
    assert "bring redis-proxy over first: an old entry does not follow a new leader" in text

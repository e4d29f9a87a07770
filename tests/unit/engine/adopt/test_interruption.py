"""How long clients wait: from the drills that the journal keeps, else as the module declares, and it says which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.adopt.interruption import interruptions, measured
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import Journal
from keybuzz.model.core.content import Content
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.files import File
from tests.unit.support.site_values import memory_site

SITE = memory_site()
MODULES = {module.name: module for module in all_modules()}


def changes(module: str, hosts: tuple[str, ...], *, disrupts: bool = True) -> list[Change]:
    made = File("/etc/x", Content.plain("x"))
    return [
        Change(host, module, made, Action.UPDATE, disrupts=disrupts) for host in hosts for _ in "ab"
    ]


def hosts_of(module: str) -> tuple[str, ...]:
    return tuple(server.name for server in SITE.members(MODULES[module].group))


def asked(
    module: str,
    hosts: tuple[str, ...],
    known: Mapping[str, tuple[float, int]] | None = None,
) -> list[tuple[object, ...]]:
    found = interruptions(
        changes(module, hosts), MODULES[module], MODULES.values(), SITE, known or {}
    )
    return [(i.service, i.members, i.seconds, i.source) for i in found]


def test_a_roll_with_a_hand_over_makes_one_wait_and_each_proxy_makes_its_own() -> None:
    cost = MODULES["redis"].restart_cost
    assert cost is not None
    assert asked("redis", hosts_of("redis")) == [("redis", 3, 20.0, f"declared: {cost.source}")]
    (entry,) = asked("redis-proxy", hosts_of("redis-proxy"))
    assert entry[:3] == ("redis-proxy", 2, 12.0)


def test_what_a_drill_of_this_site_measured_counts_more_than_a_declaration() -> None:
    (found,) = asked("redis", hosts_of("redis"), {"redis": (7.3, 15)})
    assert found == ("redis", 3, 7.3, "measured by the drill of run 15")


def test_what_interrupts_nothing_costs_nothing() -> None:
    quiet = changes("redis", hosts_of("redis"), disrupts=False)
    assert interruptions(quiet, MODULES["redis"], MODULES.values(), SITE, {}) == ()


def test_a_restart_of_the_host_interrupts_every_service_that_it_has() -> None:
    redis, entry = hosts_of("redis")[0], hosts_of("redis-proxy")[0]
    assert [item[0] for item in asked("base", (redis,))] == ["redis"]
    names = {item[0] for item in asked("base", (entry,))}
    assert names == {"postgres-proxy", "redis-proxy", "rabbitmq-proxy"}


def test_a_restart_of_docker_in_the_step_of_a_member_costs_nothing_more() -> None:
    own = {"redis-proxy": frozenset(hosts_of("redis-proxy"))}
    base = changes("base", hosts_of("redis-proxy"))
    found = interruptions(base, MODULES["base"], MODULES.values(), SITE, {}, own)
    assert {item.service for item in found} == {"postgres-proxy", "rabbitmq-proxy"}


def test_a_service_that_says_nothing_is_told_as_not_known() -> None:
    silent = replace(MODULES["redis"], restart_cost=None)
    every = {**MODULES, "redis": silent}.values()
    base = changes("base", hosts_of("redis")[:1])
    (found,) = interruptions(base, MODULES["base"], every, SITE, {})
    assert (found.service, found.members, found.seconds) == ("redis", 1, None)


@pytest.mark.parametrize("name", [m.name for m in all_modules() if m.members_up is not None])
def test_every_module_with_members_declares_a_figure_and_its_source(name: str) -> None:
    cost = MODULES[name].restart_cost
    assert cost is not None
    assert cost.seconds > 0
    assert len(cost.source) > 20


def test_only_planned_faults_that_recovered_are_figures(tmp_path: Path) -> None:
    class Work:
        journal = Journal(tmp_path / "journal.sqlite")

    assert measured(Work()) == {}  # type: ignore[arg-type]
    trials = [
        ("container-stopped", "recovered", 4.8),
        ("container-stopped", "recovered", 3.1),
        ("container-killed", "recovered", 24.4),
        ("container-stopped", "failed", 90.0),
        ("container-stopped", "not available", None),
    ]
    document = {
        "module": "patroni",
        "trials": [
            {"scenario": s, "verdict": v, "seconds_without_writes": t} for s, v, t in trials
        ],
    }
    for text in (json.dumps(document), "[]", "{"):
        number = Work.journal.begin("drill", ("kbz drill",), ("patroni",), 1.0, Path("/"))
        Documents(Work.journal.path).keep(number, text)
    assert measured(Work()) == {"patroni": (4.8, 1)}  # type: ignore[arg-type]

"""`kbz plan` foretells the stages of a run by the rollouts themselves: replicas first, the leader last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.adopt.stages import foretold
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.planning import plan_host
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.record import stage_document
from keybuzz.model.host.docker import Container
from keybuzz.model.reports.stages import PlannedStage
from keybuzz.report.screen.stages import stages_text
from keybuzz.site.module import Module
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.healthy import healthy
from tests.unit.tasks.patroni.cluster_world import site_of

SITE = memory_site()
MODULES = {module.name: module for module in all_modules()}
ROLLED = ("patroni", "postgres-proxy", "redis", "redis-proxy", "rabbitmq", "galera", "proxysql")


def outdated(name: str) -> Live:
    """Return a cluster in health of which every container runs another image than is described."""
    live = healthy(name)
    hosts = {}
    for host, view in live.hosts.items():
        states = dict(view.states)
        for resource in view.resources:
            if isinstance(resource, Container) and resource.identity in states:
                state = states[resource.identity]
                old = {**state.attributes, "image": "sha256:old"}
                states[resource.identity] = replace(state, attributes=old)
        described = [
            item
            for item in view.resources
            if isinstance(item, Container) and item.identity in states
        ]
        changes = plan_host(host, name, described, states, SITE.digest_key)
        hosts[host] = replace(view, states=states, changes=changes)
    return replace(live, hosts=hosts, selected=frozenset(hosts))


def stages(name: str, module: Module | None = None) -> tuple[PlannedStage, ...]:
    return foretold(SITE, (module or MODULES[name],), {name: outdated(name)})


def roles(found: tuple[PlannedStage, ...]) -> list[tuple[str, bool]]:
    """Return the role of each host that is interrupted, in order, and whether that is left open."""
    return [
        (" ".join(work.roles), stage.open)
        for stage in found
        for work in stage.work
        if work.interrupts
    ]


def test_patroni_replaces_replicas_first_and_the_leader_after_a_switchover() -> None:
    found = stages("patroni")
    assert [stage.name.split()[0] for stage in found] == ["replace", "replace", "hand", "then"]
    assert roles(found) == [("replica", False), ("replica", False), ("leader", True)]
    assert [work.interrupts for work in found[0].work] == [("container:patroni",)]


def test_redis_replaces_the_master_last() -> None:
    assert roles(stages("redis")) == [("replica", False), ("replica", False), ("master", True)]


@pytest.mark.parametrize("name", ROLLED)
def test_every_member_is_interrupted_once_and_never_two_at_once(name: str) -> None:
    found = stages(name)
    hosts = [work.host for stage in found for work in stage.work if work.interrupts]
    assert sorted(hosts) == sorted(healthy(name).hosts)
    assert all(sum(bool(w.interrupts) for w in stage.work) <= 1 for stage in found)


@pytest.mark.parametrize("name", ROLLED)
def test_the_first_stage_is_the_one_that_a_run_takes(name: str) -> None:
    first = MODULES[name].next_stage(outdated(name))
    assert first is not None
    assert (stages(name)[0].name, stages(name)[0].work[0].host) == (first.name, first.hosts[0])


@pytest.mark.parametrize("name", MODULES)
def test_a_cluster_that_is_as_described_has_no_stage(name: str) -> None:
    live = healthy(name)
    hosts = {host: replace(view, changes=()) for host, view in live.hosts.items()}
    assert foretold(SITE, (MODULES[name],), {name: replace(live, hosts=hosts)}) == ()


def test_docker_on_a_leader_hands_over_first() -> None:
    patroni, base = MODULES["patroni"], MODULES["base"]
    live = healthy("patroni")
    assert patroni.topology is not None
    topology = patroni.topology(live)
    leader = next(member.host for member in topology.members if member.role == "leader")
    change = replace(outdated("patroni").hosts[leader].changes[0], module="base")
    restarted = replace(live, hosts={leader: replace(live.hosts[leader], changes=(change,))})

    def restart(now: Live) -> Stage | None:
        changes = tuple(now.changes())
        return Stage("restart", changes) if changes else None

    modules = (replace(base, next_stage=restart), patroni)
    found = foretold(site_of(3), modules, {"base": restarted, "patroni": live})
    assert [(stage.module, stage.name) for stage in found][:2] == [
        ("patroni", f"hand over from {leader}"),
        ("base", "restart"),
    ]
    assert found[1].work[0].roles == ("patroni leader",)


def test_a_refusal_is_told_where_a_run_would_end() -> None:
    def refuses(live: Live) -> Stage | None:
        raise RefusedError("the owner decides", where="db-1")

    found = stages("patroni", replace(MODULES["patroni"], next_stage=refuses))
    assert [stage.refused for stage in found] == ["db-1: the owner decides"]
    assert "1. patroni: refused: db-1: the owner decides" in stages_text(found)


def test_a_rollout_that_cannot_judge_leaves_all_of_it_open() -> None:
    def fails(live: Live) -> Stage | None:
        raise ValueError("nonsense")

    found = stages("patroni", replace(MODULES["patroni"], next_stage=fails))
    assert [stage.open for stage in found] == [True]


def test_the_text_names_roles_and_what_ends() -> None:
    text = stages_text(stages("patroni"), 200).splitlines()
    assert text[0] == "stages of a run"
    assert text[1].startswith("   1. patroni: replace ")
    assert text[1].endswith(
        " (replica): 1 change; interrupts container:patroni, whose connections end"
    )
    assert text[-1].startswith("      patroni: then what is left")
    assert stages_text(()) == ""
    assert stage_document(stages("patroni")[0])["hosts"][0]["roles"] == ["replica"]

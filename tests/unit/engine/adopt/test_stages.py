"""`kbz plan` foretells the stages of a run by the rollouts themselves: replicas first, the leader last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.adopt.stages import coming_with
from keybuzz.engine.adopt.stages import foretold as foretold_with
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.joined import joined
from keybuzz.engine.look.planning import change_of, plan_host
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, State
from keybuzz.model.core.record import stage_document
from keybuzz.model.host.docker import Container, StoppedContainer
from keybuzz.model.reports.stages import PlannedStage
from keybuzz.report.screen.stages import stages_text
from keybuzz.site.module import Module
from keybuzz.site.site import Site
from tests.unit.support.site_values import memory_site, with_parameters
from tests.unit.tasks.healthy import healthy
from tests.unit.tasks.patroni.cluster_world import site_of

SITE = memory_site()
MODULES = {module.name: module for module in all_modules()}
ROLLED = ("patroni", "postgres-proxy", "redis", "redis-proxy", "rabbitmq", "galera", "proxysql")


def freeze_of(*groups: str) -> Freeze:
    return Freeze(frozenset(groups), NO_LIFT, FirstInstalls(Path("/nonexistent/first-installs")))


def foretold(
    site: Site, modules: tuple[Module, ...], lives: dict[str, Live], freeze: Freeze | None = None
) -> tuple[PlannedStage, ...]:
    """Return what is foretold, where nothing is frozen unless that is said."""
    return foretold_with(site, modules, lives, freeze or freeze_of())


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
    assert roles(found) == [("replica", False), ("replica", False), ("replica", True)]
    assert found[2].work[0].roles == ("leader",)
    assert set(found[2].heirs) == {work.host for stage in found[:2] for work in stage.work}
    assert [work.interrupts for work in found[0].work] == [("container:patroni",)]


def test_redis_replaces_the_master_last() -> None:
    found = stages("redis")
    assert roles(found) == [("replica", False), ("replica", False), ("replica", True)]
    assert [stage.work[0].roles for stage in found if stage.heirs] == [("master",)]


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


def test_values_of_the_site_that_a_run_refuses_are_foretold() -> None:
    site = with_parameters(SITE, {"galera.max_connections": "419"})
    found = foretold(site, (MODULES["proxysql"],), {"proxysql": outdated("proxysql")})
    assert "more than the 419 that a node takes" in found[0].refused
    assert not any(stage.reached for stage in found[1:])


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
    replicas = {member.host for member in topology.members} - {leader}
    assert set(found[0].heirs) == replicas
    assert found[1].work[0].roles == ("patroni replica",), "it leads no more by then"
    assert f"; then {' or '.join(sorted(replicas))} leads" in stages_text(found, 400)


def docker_too(live: Live) -> tuple[Module, Live]:
    """Return a module base that restarts Docker on every host of a cluster, and may wait with it."""
    hosts = {
        host: replace(view, changes=tuple(replace(c, module="base") for c in view.changes))
        for host, view in live.hosts.items()
    }

    def restart(now: Live) -> Stage | None:
        for change in now.changes():
            host = change.host
            return Stage(f"restart Docker on {host}", now.hosts[host].changes, joins=True)
        return None

    return replace(MODULES["base"], next_stage=restart), replace(live, hosts=hosts)


@pytest.mark.parametrize("name", ROLLED)
def test_a_restart_of_docker_is_foretold_in_the_step_of_each_member(name: str) -> None:
    base, hosts = docker_too(outdated(name))
    lives = {"base": hosts, name: outdated(name)}
    found = foretold(SITE, (base, MODULES[name]), lives)
    assert {stage.module for stage in found} == {name}
    alone = stages(name)
    assert [stage.heirs for stage in found] == [stage.heirs for stage in alone]
    for stage, before in zip(found, alone, strict=True):
        assert stage.name == (
            f"restart Docker on {stage.work[0].host}, then {before.name}"
            if before.work[0].interrupts
            else before.name
        )


@pytest.mark.parametrize("name", ROLLED)
def test_a_member_is_stopped_before_docker_and_started_once(name: str) -> None:
    base, hosts = docker_too(outdated(name))
    found = foretold(SITE, (base, MODULES[name]), {"base": hosts, name: outdated(name)})
    for work in (work for stage in found for work in stage.work if work.interrupts):
        kinds = [identity.partition(":")[0] for identity in work.interrupts]
        last_stop = max(at for at, kind in enumerate(kinds) if kind == "container-stopped")
        assert kinds[: last_stop + 1] == ["container-stopped"] * (last_stop + 1)


def test_a_stop_before_docker_is_one_that_the_agent_carries_out() -> None:
    """A change that says no difference is as wanted already, for the agent."""
    live = outdated("redis")
    host, view = next(iter(live.hosts.items()))
    restart = Stage("Docker", tuple(replace(c, module="base") for c in view.changes))
    stop, *others = joined(Stage("member", view.changes), {host: restart}).changes
    replaced = view.changes[0].resource
    assert isinstance(replaced, Container)
    assert stop.resource == StoppedContainer("redis", replaced.stop_timeout)
    runs = State(stop.identity, True, {"running": True})
    assert stop == change_of(host, "redis", stop.resource, runs, SITE.digest_key)
    behind = [c.module for c in others if not isinstance(c.resource, StoppedContainer)]
    assert behind == ["base"] * len(view.changes) + ["redis"] * len(view.changes)


@pytest.mark.parametrize("joins", [True, False])
def test_a_restart_counts_as_part_of_a_step_only_where_it_joins(joins: bool) -> None:
    base, hosts = docker_too(outdated("redis"))
    lives = {"base": hosts, "redis": outdated("redis")}

    def restart(now: Live) -> Stage | None:
        stage = base.next_stage(now)
        return replace(stage, joins=joins) if stage else None

    module = replace(base, next_stage=restart)
    found = coming_with(module, (MODULES["redis"],), lives, freeze_of(), SITE)
    assert found == ({"redis": frozenset(hosts.hosts)} if joins else {})
    frozen = coming_with(module, (MODULES["redis"],), lives, freeze_of("redis"), SITE)
    assert frozen == {}


def test_a_restart_of_docker_waits_for_no_module_that_is_frozen() -> None:
    base, hosts = docker_too(outdated("redis"))
    lives = {"base": hosts, "redis": outdated("redis")}
    found = foretold(SITE, (base, MODULES["redis"]), lives, freeze_of("redis"))
    reached = [stage for stage in found if stage.reached and not stage.refused]
    assert [stage.module for stage in reached if not stage.heirs] == ["base"] * 3


def test_a_restart_of_docker_where_no_member_is_replaced_is_foretold_alone() -> None:
    base, hosts = docker_too(outdated("redis"))
    found = foretold(SITE, (base, MODULES["redis"]), {"base": hosts, "redis": healthy("redis")})
    assert [stage.module for stage in found if not stage.heirs] == ["base"] * 3


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


FRZ = "module redis is frozen (FRZ-1) and its cluster is deployed: 6 changes needed, none made → kbz drift redis "


def test_a_frozen_module_is_refused_with_the_lift_and_what_a_run_would_do_then() -> None:
    lives = {"redis": outdated("redis"), "patroni": outdated("patroni")}
    modules = (MODULES["redis"], MODULES["patroni"])
    free = foretold(SITE, modules, lives)
    first, *others = foretold(SITE, modules, lives, freeze_of("redis"))
    assert first.refused.startswith(FRZ)
    assert "--lift-freeze redis --reason" in first.refused
    assert (first.reached, first.work) == (True, ())
    assert others == [replace(stage, reached=False) for stage in free]
    text = stages_text((first, *others), 400).splitlines()
    assert text[1].startswith(f"   1. redis: refused: {FRZ}")
    assert all(": not reached: " in line and line.startswith("      ") for line in text[2:])
    assert [stage_document(stage)["reached"] for stage in (first, others[0])] == [True, False]


def test_what_comes_before_a_frozen_module_is_reached() -> None:
    lives = {"redis": outdated("redis"), "patroni": outdated("patroni")}
    found = foretold(SITE, (MODULES["patroni"], MODULES["redis"]), lives, freeze_of("redis"))
    assert all(stage.reached for stage in found if stage.module == "patroni")
    assert [stage.reached for stage in found if stage.module == "redis"][:2] == [True, False]


def test_a_frozen_module_that_is_as_described_is_not_refused() -> None:
    live = healthy("redis")
    hosts = {host: replace(view, changes=()) for host, view in live.hosts.items()}
    found = foretold(
        SITE, (MODULES["redis"],), {"redis": replace(live, hosts=hosts)}, freeze_of("redis")
    )
    assert found == ()


def unread(name: str) -> Live:
    live = outdated(name)
    hosts = {
        host: replace(
            view, changes=tuple(replace(c, action=Action.LATER) for c in view.changes), states={}
        )
        for host, view in live.hosts.items()
    }
    return replace(live, hosts=hosts)


def test_what_an_earlier_stage_may_make_readable_is_not_foretold_as_frozen() -> None:
    redis = unread("redis")
    alone = foretold(SITE, (MODULES["redis"],), {"redis": redis}, freeze_of("redis"))
    assert alone[0].refused.startswith("module redis is frozen")
    base = replace(MODULES["base"], next_stage=lambda live: Stage("all", tuple(live.changes())))
    lives = {"base": outdated("redis"), "redis": redis}
    found = foretold(SITE, (base, MODULES["redis"]), lives, freeze_of("redis"))
    assert not [stage for stage in found if stage.refused]


def test_another_live_credential_is_refused_before_any_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def differs(module: Module, live: Live, site: Site) -> None:
        if module.name == "redis":
            raise RefusedError("another credential", where="redis-01", hint="take it")

    monkeypatch.setattr("keybuzz.engine.adopt.stages.require_same", differs)
    lives = {"patroni": outdated("patroni"), "redis": outdated("redis")}
    first, *others = foretold(SITE, (MODULES["patroni"], MODULES["redis"]), lives)
    assert (first.module, first.refused) == ("redis", "redis-01: another credential → take it")
    assert others
    assert not [stage for stage in others if stage.reached]

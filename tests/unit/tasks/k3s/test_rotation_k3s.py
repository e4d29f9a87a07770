"""A new token for K3s: the cluster takes it once, every node knows it, then each restarts behind gates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.cli.look.explain import DOCS
from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Stage
from keybuzz.model.host.system import SystemdUnit
from keybuzz.report.runbooks import read_runbooks
from tasks.k3s import values
from tasks.k3s.checks import checks
from tasks.k3s.members import TOKEN_ID
from tasks.k3s.rotation import next_stage
from tasks.k3s.service.resources import K3sTokenRotated
from tests.unit.support.site_values import memory_site, with_secrets
from tests.unit.tasks.k3s.k3s_world import HOSTS, MASTERS, WORKERS, World, unit_of

CONFIG_ID = f"file:{values.CONFIG}"


def begun() -> World:
    """Return a cluster that has the old token, in its data, its files and its units."""
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CONFIG_ID, digest="old")
        world.damage(host, unit_of(host), digest="old")
    for host in MASTERS:
        world.damage(host, TOKEN_ID, token_matches=False)
    return world


def take(world: World, stage: Stage) -> None:
    """Do what a stage says; a master that starts with the new token has it from then on."""
    world.apply(stage)
    for change in stage.changes:
        if isinstance(change.resource, SystemdUnit) and change.host in MASTERS:
            world.damage(change.host, TOKEN_ID, token_matches=True)


def follow(world: World) -> list[Stage]:
    done: list[Stage] = []
    while (stage := next_stage(world.live())) is not None:
        assert len(done) < 15, [stage.name for stage in done]
        assert stage.before is None or stage.before.reason(world.live()) is None
        assert len(disrupted(stage)) <= 1
        take(world, stage)
        assert stage.after is None or stage.after.reason(world.live()) is None
        done.append(stage)
    assert list(world.live().changes()) == []
    return done


def test_one_master_is_told_then_all_know_it_then_each_restarts_masters_first() -> None:
    first, second, *rolls = follow(begun())
    assert [change.resource.kind for change in first.changes] == [
        "k3s-snapshot",
        "k3s-token-rotated",
    ]
    assert first.hosts == ("k8s-master-01",)
    assert set(second.hosts) == set(HOSTS)
    assert {change.identity for change in second.changes} == {CONFIG_ID}
    assert [stage.hosts for stage in rolls] == [(host,) for host in (*MASTERS, *WORKERS)]


@pytest.mark.parametrize("steps", range(9))
def test_cut_off_anywhere_it_goes_on_and_the_cluster_is_told_once(steps: int) -> None:
    world = begun()
    for _ in range(steps):
        stage = next_stage(world.live())
        assert stage is not None
        take(world, stage)
    follow(world)
    told = [
        c for stage in world.trail for c in stage.changes if c.resource.kind == "k3s-token-rotated"
    ]
    assert len(told) == 1


def test_a_master_whose_new_token_is_not_confirmed_is_told_again_and_nothing_goes_on_before() -> (
    None
):
    world = begun()
    world.damage("k8s-master-02", TOKEN_ID, token_matches=False, unproven=True)
    stage = next_stage(world.live())
    assert stage is not None
    told = [c.host for c in stage.changes if isinstance(c.resource, K3sTokenRotated)]
    assert told == ["k8s-master-02"]
    [found] = [
        f for f in checks(world.live()) if f.check == "k3s.token.sealed" and f.level is not Level.OK
    ]
    assert (found.host, found.level) == ("k8s-master-02", Level.CRITICAL)
    assert "kbz secrets rotate k3s-token" in found.hint


@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
def test_a_master_that_was_told_and_does_not_run_is_refused_at_once_with_the_way_out(
    state: str,
) -> None:
    """Once all nodes were waited for, that one too: it is the one that does not start by itself."""
    world = begun()
    world.damage("k8s-master-02", TOKEN_ID, token_matches=False, unproven=True)
    world.damage("k8s-master-02", unit_of("k8s-master-02"), running=False, state=state)
    with pytest.raises(RefusedError, match="does not run") as refused:
        next_stage(world.live())
    assert refused.value.where == "k8s-master-02"
    assert f"K3s is {state}" in refused.value.what
    [found] = [
        f for f in checks(world.live()) if f.check == "k3s.token.sealed" and f.level is not Level.OK
    ]
    for hint in (refused.value.hint, found.hint):
        assert "--limit k8s-master-02 -- journalctl -u k3s" in hint
        assert "kbz explain k3s.token.sealed" in hint
    world.damage("k8s-master-02", unit_of("k8s-master-02"), running=True, state="active")
    stage = next_stage(world.live())
    assert stage is not None
    assert [c.host for c in stage.changes if isinstance(c.resource, K3sTokenRotated)] == [
        "k8s-master-02"
    ]


def test_the_way_out_names_each_end_by_what_k3s_says_and_where_the_token_is() -> None:
    """What K3s starts with is config.yaml; its own file server/token is written from that."""
    section = read_runbooks(DOCS / "runbooks")["k3s.token.sealed"]
    steps = "\n".join(section.steps)
    for word in (
        "newer than datastore",
        "encrypted with different token",
        values.CONFIG,
        "K3S_TOKEN__NEXT",
        "/var/lib/rancher/k3s/server/cred/passwd",
    ):
        assert word in steps, word


def test_a_node_that_is_not_ready_holds_the_first_step_up() -> None:
    world = begun()
    world.hosts["k8s-worker-03"].sick = True
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.before is not None
    assert "k8s-worker-03" in str(stage.before.reason(world.live()))


def test_a_master_that_does_not_come_back_stops_the_roll() -> None:
    world = begun()
    while (step := next_stage(world.live())) is not None:
        take(world, step)
        if step.hosts == ("k8s-master-01",) and len(world.trail) > 2:
            break
    world.hosts["k8s-master-01"].sick = True
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.hosts == ("k8s-master-02",)
    assert stage.before is not None
    assert "k8s-master-01" in str(stage.before.reason(world.live()))


def test_anything_else_that_differs_is_refused() -> None:
    world = begun()
    world.differs = ("Namespace/ingress-nginx is missing",)
    with pytest.raises(RefusedError, match="changes the token only"):
        next_stage(world.live())


def test_the_unit_restarts_with_another_token_and_does_not_show_it() -> None:
    site = memory_site()
    other = with_secrets(site, {"K3S_TOKEN": "another-token-of-some-length"})
    for server in site.members(values.GROUP):
        assert values.mark(site, server) != values.mark(other, server)
        assert "another-token" not in values.unit_text(other, server)
    stranger = replace(site, digest_key=type(site.digest_key)(b"x" * 32))
    server = site.members(values.GROUP)[0]
    assert values.mark(site, server) != values.mark(stranger, server), (
        "nobody else can test guesses"
    )

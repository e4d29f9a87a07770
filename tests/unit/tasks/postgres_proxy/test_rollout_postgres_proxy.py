"""The rollout of the entry to PostgreSQL: one host at a time, proven by a write, from any mixture of damages."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.change.guard import disrupted
from keybuzz.model.core.finding import Level
from tasks.postgres_proxy import MODULE
from tasks.postgres_proxy.rollout import ENTRIES
from tests.unit.tasks.postgres_proxy.proxy_world import (
    CFG,
    HAPROXY,
    HOSTS,
    INI,
    PGBOUNCER,
    USERS,
    World,
    described_mark,
    roll,
)

RARELY = settings(max_examples=80, phases=(Phase.explicit, Phase.generate))


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail]


def test_a_first_install_proves_the_first_host_before_it_touches_the_second() -> None:
    world = World.empty()
    assert roll(world).word == "done"
    assert names(world) == ["directories and images", "change haproxy-01", "change haproxy-02"]
    for stage in world.trail[1:]:
        assert stage.after is not None


def test_files_come_before_the_container_that_reads_them_and_after_the_image_that_tests_them() -> (
    None
):
    world = World.empty()
    roll(world)
    prepare, first, _ = world.trail
    assert {change.resource.kind for change in prepare.changes} == {"directory", "image"}
    order = [change.identity for change in first.changes]
    assert order.index(CFG) < order.index(HAPROXY)
    assert max(order.index(INI), order.index(USERS)) < order.index(PGBOUNCER)


def test_a_second_run_does_nothing() -> None:
    world = World.healthy()
    assert roll(world).word == "done"
    assert world.trail == []


def test_both_haproxies_are_never_restarted_together() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, HAPROXY, image="haproxy:2.0 (old)")
    assert roll(world).word == "done"
    assert [disrupted(stage) for stage in world.trail] == [{"haproxy-01"}, {"haproxy-02"}]


def test_a_changed_file_is_a_reload_and_interrupts_nobody() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02"]
    assert [change.identity for change in world.trail[0].changes] == [CFG]
    assert disrupted(world.trail[0]) == frozenset()


def test_a_host_that_does_not_serve_comes_first() -> None:
    world = World.healthy()
    world.damage("haproxy-01", HAPROXY, image="haproxy:2.0 (old)")
    world.damage("haproxy-02", PGBOUNCER, running=False)
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02", "change haproxy-01"]


def test_a_bare_host_is_built_only_beside_a_good_one() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"] = World.empty().nodes["haproxy-01"]
    world.nodes["haproxy-02"].mark = "kbz-before"
    end = roll(world)
    assert end.word == "gate"
    assert "haproxy-02: HAProxy runs kbz-before" in end.why
    assert names(world) == ["directories and images"]
    world.nodes["haproxy-02"].mark = described_mark()
    assert roll(world, ["haproxy-01"]).word == "done"
    assert {c.host for stage in world.trail for c in stage.changes} == {"haproxy-01"}


def test_a_serving_host_that_is_to_be_mended_too_does_not_hold_up_a_bare_one() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"] = World.empty().nodes["haproxy-01"]
    world.damage("haproxy-02", CFG, digest="other")
    world.nodes["haproxy-02"].mark = "kbz-before"
    assert roll(world).word == "done"
    assert names(world)[1:] == ["change haproxy-01", "change haproxy-02"]


def test_the_last_serving_host_is_not_interrupted_while_the_other_is_away() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].reachable = False
    world.damage("haproxy-01", HAPROXY, image="haproxy:2.0 (old)")
    end = roll(world)
    assert end.word == "refused"
    assert "bring back haproxy-02 first" in end.why
    assert world.trail == []


def test_old_entries_are_replaced_one_after_the_other() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.make_old(host)
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-01", "change haproxy-02"]
    assert world.trail[1].before is not None


@pytest.mark.parametrize("away", HOSTS)
def test_an_old_entry_is_not_interrupted_while_the_other_is_away(away: str) -> None:
    world = World.healthy()
    for host in HOSTS:
        world.make_old(host)
    world.nodes[away].reachable = False
    end = roll(world)
    assert end.word == "refused"
    assert f"bring back {away} first" in end.why


def test_an_old_entry_that_serves_waits_until_the_broken_one_is_built() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.make_old(host)
    world.damage("haproxy-02", HAPROXY)
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-02", "change haproxy-01"]


def test_a_host_that_is_not_good_after_its_change_stops_the_roll() -> None:
    world = World.empty()
    world.nodes["haproxy-01"].refuses = "password authentication failed"
    end = roll(world)
    assert end.word == "gate"
    assert "password authentication failed" in end.why
    assert names(world) == ["directories and images", "change haproxy-01"]


def test_a_run_that_was_cut_off_proves_what_it_changed_before_it_goes_on() -> None:
    world = World.healthy()
    world.damage("haproxy-02", CFG, digest="other")
    world.nodes["haproxy-01"].mark = "kbz-before"
    end = roll(world)
    assert end.word == "gate"
    assert "haproxy-01: HAProxy runs kbz-before" in end.why
    assert world.trail == []


def test_another_host_that_still_has_the_old_configuration_can_carry_the_sessions() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, CFG, digest="other")
        world.nodes[host].mark = "kbz-before"
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-01", "change haproxy-02"]


def test_a_load_balancer_that_does_not_answer_holds_up_nothing() -> None:
    world = World.empty()
    world.balancer = "timed out"
    assert roll(world).word == "done"
    levels = {f.level for f in MODULE.checks(world.live()) if f.check == "postgres-proxy.balancer"}
    assert levels == {Level.WARN}


def test_a_new_password_reaches_one_host_after_the_other() -> None:
    """Until its userlist.txt is written, no host can prove itself with the password that it does not know."""
    world = World.healthy()
    for host in HOSTS:
        world.damage(host, USERS, digest="other")
        world.nodes[host].old_password = True
    assert roll(world).word == "done"
    assert names(world) == ["change haproxy-01", "change haproxy-02"]


def test_a_load_balancer_that_answers_wrongly_stops_the_roll() -> None:
    world = World.healthy()
    world.nodes["haproxy-02"].old_password = True
    world.damage("haproxy-01", INI, digest="other")
    end = roll(world, ["haproxy-01"])
    assert end.word == "gate"
    assert "through 10.0.0.10: password authentication failed" in end.why


def test_hosts_on_their_way_are_waited_for() -> None:
    world = World.healthy()
    world.nodes["haproxy-01"].settled = False
    assert roll(world).word == "done"
    assert names(world) == ["wait"]


DAMAGES = ("cfg", "ini", "users", "haproxy", "pgbouncer", "stopped", "old", "away", "unsettled")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return any mixture of damages on both hosts."""
    world = draw(st.sampled_from([World.healthy, World.empty]))()
    for host in HOSTS:
        for damage in draw(st.sets(st.sampled_from(DAMAGES), max_size=4)):
            hurt(world, host, damage)
    return world


def hurt(world: World, host: str, damage: str) -> None:
    node = world.nodes[host]
    files = {"cfg": CFG, "ini": INI, "users": USERS}
    if damage in files and node.states[files[damage]].present:
        world.damage(host, files[damage], digest="other")
    elif damage in ("haproxy", "pgbouncer"):
        world.damage(host, f"container:{damage}")
    elif damage == "stopped" and node.runs(PGBOUNCER):
        world.damage(host, PGBOUNCER, running=False)
    elif damage == "old" and node.runs(HAPROXY):
        world.damage(host, HAPROXY, image="haproxy:2.0 (old)")
    elif damage == "away":
        node.reachable = False
    elif damage == "unsettled":
        node.settled = False


@RARELY
@given(worlds())
def test_a_whole_run_over_reachable_hosts_ends_well_from_anywhere(world: World) -> None:
    for node in world.nodes.values():
        node.reachable = True
    assert roll(world).word == "done"
    live = world.live()
    assert list(live.changes()) == []
    assert [finding for finding in MODULE.checks(live) if finding.level > Level.OK] == []


@RARELY
@given(worlds(), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_any_run_ends_and_says_no_only_with_a_reason(world: World, selected: set[str]) -> None:
    end = roll(world, sorted(selected))
    assert len(world.trail) <= 4
    assert {c.host for stage in world.trail for c in stage.changes} <= selected
    if end.word == "done":
        assert list(world.live(selected).changes()) == []
    else:
        assert end.why


@pytest.mark.parametrize("host", HOSTS)
def test_limit_to_one_host_touches_only_that(host: str) -> None:
    world = World.healthy()
    for name in HOSTS:
        world.damage(name, INI, digest="other")
    assert roll(world, [host]).word == "done"
    assert names(world) == [f"change {host}"]


@pytest.mark.parametrize(
    ("damaged", "identity", "attributes", "split"),
    [
        ("haproxy-02", USERS, {"digest": "other"}, True),
        ("haproxy-01", USERS, {"digest": "other"}, False),
        ("haproxy-02", CFG, {"digest": "other"}, False),
        ("haproxy-02", USERS, {}, False),
    ],
)
def test_two_passwords_live_only_while_another_host_is_still_to_learn_the_new_one(
    damaged: str, identity: str, attributes: dict[str, str], split: bool
) -> None:
    world = World.healthy()
    world.damage(damaged, identity, **attributes)
    assert ENTRIES.split("haproxy-01", tuple(world.live().changes())) is split

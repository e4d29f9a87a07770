"""A rotation of Redis's password: both are taken first, one last; from any half-way point, and nobody is shut out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from tasks.redis.desired import REDIS_CONF
from tasks.redis.members import PASSWORD
from tasks.redis.rotation import next_stage
from tests.unit.tasks.redis.redis_world import HOSTS, MONITOR, SETTINGS, World, roll

FILE = f"file:{REDIS_CONF}"
OLD, BOTH = ("the former one",), ("ours", "the former one")
USES: dict[str, dict[str, object]] = {
    SETTINGS: {"masterauth_matches": False},
    MONITOR: {"auth_pass_matches": False},
    FILE: {"digest": "hmac-sha256:old"},
}
_hosts = st.frozensets(st.sampled_from(HOSTS))


def hurt(world: World, identity: str, host: str, attributes: object) -> None:
    states = world.nodes[host].states
    assert isinstance(attributes, dict)
    found = {**states[identity].attributes, **attributes}
    states[identity] = replace(states[identity], attributes=found)


def begun(both: frozenset[str], done: dict[str, frozenset[str]], master: str) -> World:
    """Return a cluster in which these hosts take both passwords, and these use the new one."""
    world = World.healthy(master)
    world.rotating = True
    for host in HOSTS:
        taken = {"taken": BOTH if host in both else OLD, "requirepass_matches": False}
        hurt(world, PASSWORD, host, taken)
        for identity, old in USES.items():
            if host not in done[identity]:
                hurt(world, identity, host, old)
    return world


def taken(world: World, host: str) -> tuple[str, ...]:
    found = world.nodes[host].states[PASSWORD].attributes["taken"]
    assert isinstance(found, tuple)
    return found


def assert_nobody_is_shut_out(world: World) -> None:
    """Who uses the new password comes to others that take it, and who uses the old one to others that take that."""
    for identity, old in USES.items():
        for host, node in world.nodes.items():
            (name, value) = next(iter(old.items()))
            word = "the former one" if node.states[identity].attributes[name] == value else "ours"
            for other in HOSTS:
                assert word in taken(world, other), f"{identity} of {host} comes to {other}"


def follow(world: World, *, rotating: bool = True) -> list[Stage]:
    """Follow the stages to their end."""
    world.rotating = rotating
    for _ in range(20):
        stage = next_stage(world.live())
        if stage is None:
            return world.trail
        assert stage.before is None or stage.before.reason(world.live()) is None
        world.apply(stage)
        assert stage.after is None or stage.after.reason(world.live()) is None
        assert_nobody_is_shut_out(world)
    raise AssertionError([stage.name for stage in world.trail])


@given(
    both=_hosts,
    done=st.fixed_dictionaries(dict.fromkeys(USES, _hosts)),
    master=st.sampled_from(HOSTS),
)
def test_from_every_half_way_point_it_ends_and_nobody_is_ever_shut_out(
    both: frozenset[str], done: dict[str, frozenset[str]], master: str
) -> None:
    # The new password is used anywhere only after everybody takes it.
    both = frozenset(HOSTS) if any(done.values()) else both
    world = begun(both, done, master)
    assert_nobody_is_shut_out(world)
    follow(world)
    assert {taken(world, host) for host in HOSTS} == {BOTH}
    assert list(world.live().changes()) == []
    for host in HOSTS:
        hurt(world, PASSWORD, host, {"taken": ("another one", "ours")})
    last = follow_the_end(world)
    assert [stage.hosts[0] for stage in last][-1] == master
    assert {taken(world, host) for host in HOSTS} == {("ours",)}
    assert list(world.live().changes()) == []
    assert world.master == master


def follow_the_end(world: World) -> list[Stage]:
    """Follow the stages after the store was switched, when nobody uses the old password any more."""
    world.rotating = False
    before = len(world.trail)
    for _ in range(9):
        stage = next_stage(world.live())
        if stage is None:
            return world.trail[before:]
        assert len(stage.hosts) == 1
        world.apply(stage)
    raise AssertionError([stage.name for stage in world.trail])


def test_the_old_password_is_not_dropped_while_a_member_does_not_take_the_new_one() -> None:
    world = World.healthy()
    for host in HOSTS:
        hurt(world, PASSWORD, host, {"taken": ("another one", "ours")})
    hurt(world, PASSWORD, "redis-3", {"taken": ("another one",)})
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.before is not None
    assert stage.before.reason(world.live()) == "redis-3: WRONGPASS"


def test_anything_else_that_differs_is_refused_before_a_password_is_touched() -> None:
    world = begun(frozenset(), dict.fromkeys(USES, frozenset()), "redis-2")
    hurt(world, "directory:/opt/keybuzz/redis/data", "redis-1", {"mode": "0755"})
    with pytest.raises(RefusedError, match="changes passwords only"):
        next_stage(world.live())


def test_a_run_never_drops_a_password_that_somebody_may_still_use() -> None:
    world = World.healthy()
    hurt(world, PASSWORD, "redis-1", {"taken": ("another one", "ours")})
    end = roll(world)
    assert (end.word, world.trail) == ("refused", [])
    assert "kbz secrets rotate redis" in end.why

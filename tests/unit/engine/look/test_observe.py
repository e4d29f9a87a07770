"""A gate reads one module again and again; what it learns is laid over what was known of the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from keybuzz.engine.catalogue import named_only
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View, only
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.module import Description
from keybuzz.site.policies import Policies
from tests.unit.support.site_values import memory_site


def seen(**states: bool) -> Observation:
    """Return an observation with the presence of some resources, and an answer of the same name each."""
    return Observation(
        {name: State(name, present) for name, present in states.items()},
        {name: Answer(name, present) for name, present in states.items()},
    )


def test_a_newer_reading_of_one_module_leaves_the_others_as_they_were() -> None:
    before = Snapshot({"a": seen(base=True, patroni=False), "b": seen(base=True)})
    after = before.with_newer(Snapshot({"a": seen(patroni=True)}))
    assert after.observations == {"a": seen(base=True, patroni=True), "b": seen(base=True)}
    assert after.unreachable == {}


def test_a_host_that_is_lost_meanwhile_is_away_and_one_that_came_back_is_not() -> None:
    before = Snapshot({"a": seen(base=True)}, {"b": "no route", "c": "no route"})
    after = before.with_newer(Snapshot({"b": seen(patroni=True)}, {"a": "closed"}))
    assert after.observations == {"b": seen(patroni=True)}
    assert after.unreachable == {"a": "closed", "c": "no route"}


def test_only_the_hosts_of_a_module_are_asked_and_only_for_it() -> None:
    base, patroni = Description(()), Description(())
    found = only(
        {
            "a": HostDescription({"base": base, "patroni": patroni}, ()),
            "b": HostDescription({"base": base}, ()),
        },
        "patroni",
    )
    assert found == {"a": HostDescription({"patroni": patroni}, ())}


def test_a_rollout_is_told_which_servers_are_in_maintenance_now() -> None:
    now = datetime.now(UTC)
    entries = (
        Maintenance("redis-02", "a new disk", now, now + timedelta(hours=4)),
        Maintenance("redis-03", "it has ended", now, now),
    )
    site = replace(memory_site(), policies=Policies(maintenance=entries))
    [redis] = named_only(("redis",))
    live = View({}, Snapshot({}), frozenset(), site.digest_key).live(redis, site)
    assert [server.name for server in live.resting] == ["redis-02"]
    address = str(site.server("redis-02").address)
    assert live.awake(("redis-01", "redis-02", "redis-03")) == ("redis-01", "redis-03")
    assert live.awake((address, "10.0.0.1")) == ("10.0.0.1",)
    assert live.awake(("redis-02",)) == ("redis-02",), "where every one rests, all may be chosen"

"""A gate reads one module again and again; what it learns is laid over what was known of the others."""

from __future__ import annotations

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, only
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.site.module import Description


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

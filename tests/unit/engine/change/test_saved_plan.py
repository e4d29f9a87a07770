"""A plan in a file: the same changes are recognised, any other is refused, and no other file is a plan."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.change.saved_plan import fingerprint, load, save
from keybuzz.engine.look.planning import plan_host
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.plan import Action, Change, Difference, Plan
from keybuzz.model.core.record import plan_document
from keybuzz.model.host.system import Sysctl
from tests.unit.support.resource_values import KEY, any_resources, states_of
from tests.unit.support.site_values import PLANTED


def plan_of(observed: str, host: str = "db-1") -> Plan:
    difference = Difference("value", observed, "10")
    change = Change(host, "base", Sysctl("vm.swappiness", "10"), Action.UPDATE, (difference,))
    return Plan({host: (change,)})


def test_a_plan_comes_back_and_fits_the_same_hosts(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(path, plan_of("60"), ("base",), frozenset({"db-1", "db-2"}))
    found = load(path)
    assert found.modules == ("base",)
    assert found.hosts == {"db-1", "db-2"}
    assert found.size == 1
    found.require_same(plan_of("60"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("other", [plan_of("30"), plan_of("60", "db-2"), Plan({})])
def test_hosts_that_have_moved_are_refused(tmp_path: Path, other: Plan) -> None:
    path = tmp_path / "plan.json"
    save(path, plan_of("60"), ("base",), frozenset({"db-1"}))
    with pytest.raises(RefusedError, match="have moved since this plan was saved") as caught:
        load(path).require_same(other)
    assert str(path) in str(caught.value)


def swappiness(wanted: str, host: str = "db-1", observed: str | None = "60") -> Change:
    action = Action.CREATE if observed is None else Action.UPDATE
    difference = Difference("value", observed, wanted)
    return Change(host, "base", Sysctl("vm.swappiness", wanted), action, (difference,))


TWO = Plan({"db-1": (swappiness("10"),), "db-2": (swappiness("10", "db-2"),)})


@pytest.mark.parametrize(
    "left",
    [
        Plan({}),
        Plan({"db-2": (swappiness("10", "db-2"),)}),
        Plan({"db-2": (swappiness("10", "db-2", "30"),)}),
        Plan({"db-2": (swappiness("10", "db-2", None),)}),
        TWO,
    ],
)
def test_what_is_left_of_a_plan_is_gone_on_with(tmp_path: Path, left: Plan) -> None:
    path = tmp_path / "plan.json"
    save(path, TWO, ("base",), frozenset({"db-1", "db-2"}))
    load(path).require_part(left)


@pytest.mark.parametrize(
    "more",
    [
        swappiness("20"),
        swappiness("10", "db-3"),
        replace(swappiness("10"), resource=Sysctl("vm.overcommit_memory", "10")),
        replace(swappiness("10"), module="redis"),
        replace(swappiness("10"), differences=(Difference("mode", "a", "b"),)),
    ],
)
def test_what_the_plan_does_not_say_is_refused(tmp_path: Path, more: Change) -> None:
    """The inventory was edited since, and nobody has agreed to that."""
    path = tmp_path / "plan.json"
    save(path, TWO, ("base",), frozenset({"db-1", "db-2"}))
    with pytest.raises(RefusedError, match="needs what this plan does not say"):
        load(path).require_part(Plan({more.host: (more,)}))


@given(st.data())
def test_a_saved_plan_holds_no_secret(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    resources = data.draw(any_resources)
    states = data.draw(states_of(resources))
    plan = Plan({"db-1": plan_host("db-1", "m", resources, states, KEY)})
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    save(path, plan, ("m",), frozenset({"db-1"}))
    assert PLANTED not in path.read_text(encoding="utf-8")
    load(path).require_same(plan)
    load(path).require_part(plan)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "7", "{", '{"format_version": 1}', '{"format_version": 1, "modules": 7}'],
)
def test_another_file_is_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match="is no saved plan"):
        load(path)


def test_bytes_that_are_no_text_are_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is no saved plan"):
        load(path)


def test_a_plan_of_another_version_and_a_missing_one_are_errors_in_words(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(InputError, match="there is no such file"):
        load(path)
    path.write_text(json.dumps({"format_version": 99}))
    with pytest.raises(InputError, match="another version of kbz"):
        load(path)


def test_a_fingerprint_is_of_the_changes_and_of_nothing_else() -> None:
    one, two = plan_of("60", "a"), plan_of("60", "b")
    assert fingerprint(plan_document(one)) == fingerprint(plan_document(plan_of("60", "a")))
    assert fingerprint(plan_document(one)) != fingerprint(plan_document(two))


def test_a_plan_that_was_edited_in_its_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(path, plan_of("60"), ("base",), frozenset({"db-1"}))
    path.write_text(path.read_text().replace('"60"', '"61"'))
    with pytest.raises(RefusedError, match="have moved since"):
        load(path).require_same(plan_of("60"))

"""plan(desired, observed) for every kind of resource: complete, convergent, and blind to secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent import kinds, parts
from keybuzz.agent.guard.marks import mark
from keybuzz.engine.look.planning import applicable, plan_host
from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.plan import Action, Change, Difference, Plan, State
from keybuzz.model.core.record import plan_document, plan_text
from keybuzz.model.core.record import plan_text as shown_plan
from keybuzz.model.core.resource import Resource, Value
from keybuzz.model.core.secret import MASK, DigestKey, Secret
from keybuzz.model.host.docker import Container, DockerDaemon
from keybuzz.model.host.files import File
from keybuzz.model.host.system import Package, Sysctl
from keybuzz.transport.said.veil import Veil
from tests.unit.support.resource_values import (
    KEY,
    RESOURCES,
    any_resource,
    any_resources,
    applied,
    states_of,
)
from tests.unit.support.site_values import PLANTED, memory_site


def plan(resources: Sequence[Resource], states: dict[str, State]) -> tuple[Change, ...]:
    return plan_host("host", "module", resources, states, KEY)


def right(resource: Resource) -> State:
    return State(resource.identity, True, dict(resource.wanted(KEY)))


def test_there_is_a_strategy_for_every_kind_that_the_agent_knows() -> None:
    assert set(RESOURCES) == {*kinds._MODULES, *parts.table(parts.KINDS)}


@given(any_resources)
def test_what_equals_its_description_needs_nothing(resources: list[Resource]) -> None:
    assert plan(resources, {r.identity: right(r) for r in resources}) == ()


@given(st.data())
def test_a_plan_that_is_applied_leaves_nothing_to_do(data: st.DataObject) -> None:
    resources = data.draw(any_resources)
    states = data.draw(states_of(resources))
    first = plan(resources, states)
    once = applied(states, first)
    second = plan(resources, once)
    later = {change.identity for change in first if change.action is Action.LATER}
    assert {change.identity for change in second} == later
    assert all(change.action is Action.CREATE for change in second)
    assert plan(resources, applied(once, second)) == ()


@pytest.mark.parametrize("kind", RESOURCES)
def test_each_kind_converges_from_absent_and_from_any_difference(kind: str) -> None:
    @settings(max_examples=10)
    @given(st.data())
    def converges(data: st.DataObject) -> None:
        resource = data.draw(RESOURCES[kind])
        assert resource.kind == kind
        for states in ({resource.identity: State(resource.identity, False)},):
            (change,) = plan([resource], states)
            assert change.action is Action.CREATE
            assert plan([resource], applied(states, [change])) == ()
        for name in resource.wanted(KEY):
            moved = {**resource.wanted(KEY), name: "something else"}
            states = {resource.identity: State(resource.identity, True, moved)}
            (change,) = plan([resource], states)
            assert change.action is Action.UPDATE
            assert [item.attribute for item in change.differences] == [name]
            assert plan([resource], applied(states, [change])) == ()

    converges()


@given(st.data())
def test_a_plan_keeps_the_order_of_the_description(data: st.DataObject) -> None:
    resources = data.draw(any_resources)
    states = data.draw(states_of(resources))
    order = [resource.identity for resource in resources]
    found = [change.identity for change in plan(resources, states)]
    assert found == sorted(found, key=order.index)
    assert len(found) == len(set(found))


def test_what_can_not_be_read_yet_is_known_after_apply() -> None:
    package = Package("jq")
    (unread,) = plan([package], {})
    assert (unread.action, unread.reason) == (Action.LATER, "was not read")
    problem = State(package.identity, True, {"installed": True}, problem="dpkg is locked")
    (locked,) = plan([package], {package.identity: problem})
    assert (locked.action, locked.reason) == (Action.LATER, "dpkg is locked")
    assert locked.differences == ()


def test_an_absent_resource_is_created_with_all_that_is_wanted() -> None:
    found = plan([Sysctl("vm.swappiness", "10")], {"sysctl:vm.swappiness": State("x", False)})
    assert [change.action for change in found] == [Action.CREATE]
    assert found[0].differences == (Difference("value", None, "10"),)


def test_an_attribute_that_is_missing_in_the_answer_is_a_difference() -> None:
    (change,) = plan([Package("jq")], {"package:jq": State("package:jq", True, {})})
    assert change.differences == (Difference("installed", None, True),)


def test_a_container_is_disrupted_only_when_it_runs_now() -> None:
    container = Container("patroni", "new:1.0")
    identity = container.identity
    running = State(identity, True, {**container.wanted(KEY), "image": "old:1.0"})
    stopped = replace(running, attributes={**running.attributes, "running": False})
    assert [c.disrupts for c in plan([container], {identity: running})] == [True]
    assert [c.disrupts for c in plan([container], {identity: stopped})] == [False]
    assert [c.disrupts for c in plan([container], {identity: State(identity, False)})] == [False]


def test_a_restart_of_docker_disrupts_where_containers_run() -> None:
    daemon = DockerDaemon("json-file", "overlay2", "systemd")
    old = {**daemon.wanted(KEY), "log_driver": "local"}
    for count, disrupts in ((0, False), (2, True)):
        states = {
            daemon.identity: State(daemon.identity, True, {**old, "containers_running": count})
        }
        assert [change.disrupts for change in plan([daemon], states)] == [disrupts]


def test_a_file_shows_a_diff_with_its_secrets_masked() -> None:
    secret = Secret("PASS", f"{PLANTED}-1")
    file = File("/etc/x", Content(("user: kb\npassword: ", secret, "\nport: 1\n")))
    old = f"user: kb\npassword: {mark(secret.reveal(), KEY.key)}\nport: 2\n"
    states = {file.identity: State(file.identity, True, {"digest": "other"}, old)}
    (change,) = plan([file], states)
    assert change.diff == (
        f"--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n user: kb\n password: {MASK}\n-port: 2\n+port: 1\n"
    )
    (created,) = plan([file], {file.identity: State(file.identity, False)})
    assert created.diff.startswith("--- /dev/null\n+++ /etc/x\n")
    assert f"+password: {MASK}\n" in created.diff


def test_a_diff_shows_two_lines_on_each_side_of_what_differs() -> None:
    lines = [f"line {number}" for number in range(9)]
    file = File("/etc/nine", Content(("\n".join(lines) + "\n",)))
    old = "\n".join("other" if number == 4 else line for number, line in enumerate(lines)) + "\n"
    [change] = plan([file], {file.identity: State(file.identity, True, {"digest": "other"}, old)})
    shown = [line for line in change.diff.splitlines() if line.startswith(" ")]
    assert shown == [" line 2", " line 3", " line 5", " line 6"]


def test_a_file_whose_secret_differs_shows_where() -> None:
    one, two = (File("/x", Content(("p=", Secret("P", value)))) for value in ("old", "new"))
    text = f"p={mark('old', KEY.key)}"
    states = {one.identity: State(one.identity, True, dict(one.wanted(KEY)), text)}
    (change,) = plan([two], states)
    assert [item.attribute for item in change.differences] == ["digest"]
    assert change.diff == f"--- /x\n+++ /x\n@@ -1 +1 @@\n-p={MASK}\n+p={MASK}\n"


def test_a_diff_follows_a_secret_and_a_key_that_are_replaced_between_two_plans() -> None:
    def diff(value: str, key: DigestKey) -> str:
        now, then = (
            File("/app.conf", Content(("x ", Secret("WORD", secret), "\n")), owner=owner)
            for secret, owner in ((value, 0), ("the-first-one", 1000))
        )
        seen = then.text.marked(Veil(key.key).seal)
        state = State(now.identity, True, dict(then.wanted(key)), seen)
        [change] = plan_host("host", "module", [now], {now.identity: state}, key)
        return change.diff

    other = DigestKey(b"o" * 32)
    assert diff("the-first-one", KEY) == ""
    assert f"+x {MASK}\n" in diff("the-other-one", KEY)
    assert diff("the-first-one", KEY) == diff("the-first-one", other) == ""


def test_both_sides_of_a_file_are_masked_by_one_rule() -> None:
    """`pgpass` was masked on one side only; and a line that is the same on both sides is no difference."""
    text = "pgpass: /tmp/pgpass\ntoken: open\nport: 1\n"
    veil = Veil(KEY.key)
    file = File("/x", Content((text,)))
    states = {file.identity: State(file.identity, True, {}, veil.text(text.replace("1", "2")))}
    (change,) = plan([file], states)
    assert [line for line in change.diff.splitlines()[3:] if line[0] in "+-"] == [
        "-port: 2",
        "+port: 1",
    ]


def test_a_described_argument_that_looks_like_a_secret_is_no_difference() -> None:
    container = Container("web", "web:1", command=("web", "--token", "a", "--pgpass", "/tmp/p"))
    seen = {
        name: Veil(KEY.key).attribute(name, value) for name, value in container.wanted(KEY).items()
    }
    assert seen["command"] != container.command
    assert plan([container], {container.identity: State(container.identity, True, seen)}) == ()
    other = {**seen, "command": ("web", "--token", "‹secret:000000›", "--pgpass", "/tmp/p")}
    (change,) = plan([container], {container.identity: State(container.identity, True, other)})
    assert [item.attribute for item in change.differences] == ["command"]


@given(st.data())
def test_no_secret_is_in_any_form_of_a_plan(data: st.DataObject) -> None:
    resources = data.draw(any_resources)
    changes = plan(resources, data.draw(states_of(resources)))
    found = Plan({"host": changes})
    shown = [repr(found), str(found), json.dumps(plan_document(found)), plan_text(found)]
    shown += [shown_plan(found), *(change.diff for change in changes)]
    shown += [f"{resource!r}{resource}" for resource in resources]
    assert not [text for text in shown if PLANTED in text]


@given(any_resource)
def test_wishes_and_orders_survive_the_trip_through_json(resource: Resource) -> None:
    """What the agent answers is compared with `wanted` after such a trip: nothing may change on it."""
    for name, value in resource.wanted(KEY).items():
        back: Value = json.loads(json.dumps(value))
        assert (tuple(back) if isinstance(back, list) else back) == value, name
    for document in (resource.query(), resource.order()):
        assert json.loads(json.dumps(document)) == document
        assert document["kind"] == resource.kind
    assert resource.order()["name"] == resource.name
    assert resource.identity == f"{resource.kind}:{resource.name}"


@given(any_resource)
def test_a_reader_and_a_writer_are_asked_about_the_same_thing(resource: Resource) -> None:
    """The agent reads again with the order before it writes: the order must hold the whole question."""
    order = resource.order()
    assert {name: order.get(name) for name in resource.query()} == resource.query()


@given(st.text(), st.text())
def test_digests_of_secrets_need_the_same_key(one: str, two: str) -> None:
    content = Content((Secret("S", one),))
    other = Content((Secret("S", two),))
    assert (content.digest(KEY) == other.digest(KEY)) == (one == two)
    assert content.digest(KEY) != content.digest(DigestKey(b"other"))
    assert content.digest(KEY) != Content((one,)).digest(KEY)


def test_a_template_that_was_not_rendered_is_a_mistake_of_ours() -> None:
    file = File("/x", Template(Path(), "x.j2", None))
    with pytest.raises(TypeError, match="file:/x has not been rendered"):
        file.wanted(KEY)


def test_what_a_site_can_not_hold_is_reported_and_not_planned() -> None:
    site = memory_site()
    patterns = {"sysctl:vm.*": "shares a kernel", "swap:swap": "shares swap"}
    other = replace(site, settings=replace(site.settings, not_applicable=patterns))
    resources = [Sysctl("vm.swappiness", "10"), Sysctl("net.core.somaxconn", "1"), Package("jq")]
    kept, left = applicable(other, "host", resources)
    assert kept == tuple(resources[1:])
    assert [(item.host, item.identity, item.reason) for item in left] == [
        ("host", "sysctl:vm.swappiness", "shares a kernel")
    ]
    assert applicable(site, "host", resources) == (tuple(resources), ())

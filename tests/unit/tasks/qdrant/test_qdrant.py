"""Qdrant: one node, described, judged, rolled out, rotated and drilled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules, also, choose
from keybuzz.engine.change.guard import cluster_of, guard_quorum
from keybuzz.engine.rotations import offered
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from keybuzz.model.reports.drill import Scenario
from keybuzz.policy.services import by_port, by_scheme, by_words
from tasks.qdrant import MODULE, values
from tasks.qdrant.desired import DATA, NODE
from tasks.qdrant.drill import DRILL, not_recovered
from tasks.qdrant.members import not_serving, virgin
from tasks.qdrant.rotation import LOGIN, next_stage
from tests.unit.support.site_values import PLANTED, memory_site, with_parameters
from tests.unit.tasks.qdrant.healthy_world import BARE, CONTAINER, HOST, SAID, description, world


def levels(live: Live) -> dict[str, Level]:
    return {finding.check: finding.level for finding in MODULE.checks(live)}


def said(**words: object) -> dict[str, Answer]:
    return {NODE: Answer(NODE, {**SAID, **words})}


def test_it_listens_on_the_private_address_with_a_key_and_calls_nobody() -> None:
    (container,) = [
        r for r in description().modules["qdrant"].resources if isinstance(r, Container)
    ]
    environment = dict(container.environment)
    assert environment["QDRANT__SERVICE__HOST"] == "10.0.0.136"
    assert environment["QDRANT__TELEMETRY_DISABLED"] == "true"
    assert PLANTED not in str(container)
    # Said, though it is the image's own: Docker copies that into the container, where a described one is compared.
    assert container.user == "1000:1000"
    assert [str(bind) for bind in container.binds] == [
        "/opt/keybuzz/qdrant/storage:/qdrant/storage:rw",
        "/opt/keybuzz/qdrant/snapshots:/qdrant/snapshots:rw",
    ]


def test_it_is_a_part_of_all_only_where_the_site_says_so() -> None:
    site = memory_site()
    assert also(site) == frozenset()
    assert MODULE not in choose(["all"], also(site))
    assert [m.name for m in choose(["qdrant"])] == ["base", "qdrant"]
    wanted = with_parameters(site, {"modules.in_all": "qdrant"})
    assert choose(["all"], also(wanted)) == all_modules()
    with pytest.raises(InputError, match="redis, which is no module on request"):
        also(with_parameters(site, {"modules.in_all": "redis"}))


def test_a_healthy_node_is_one_of_one_without_a_spare_and_nothing_is_left_to_do() -> None:
    live = world()
    assert set(levels(live).values()) == {Level.OK}
    assert MODULE.next_stage(live) is None
    counted = cluster_of(MODULE, live)
    assert (len(counted.members), len(counted.up), counted.spare) == (1, 1, 0)
    topology = MODULE.topology
    assert topology is not None
    assert "no other" in topology(live).summary


@pytest.mark.parametrize(
    ("answers", "check", "level"),
    [
        (said(ready=False), "qdrant.node.serves", Level.CRITICAL),
        (said(accepted=False, reason="no"), "qdrant.node.serves", Level.CRITICAL),
        (said(guarded=False), "qdrant.key.required", Level.CRITICAL),
        (said(version="1.9.7"), "qdrant.version.frozen", Level.CRITICAL),
        ({NODE: BARE[NODE]}, "qdrant.node.serves", Level.CRITICAL),
        ({NODE: BARE[NODE]}, "qdrant.key.required", Level.UNKNOWN),
    ],
)
def test_a_fault_is_told(answers: dict[str, Answer], check: str, level: Level) -> None:
    assert levels(world(answers=answers))[check] is level


def test_a_host_that_is_away_is_unknown_and_up_is_below_what_is_needed() -> None:
    live = world(away=True)
    assert levels(live) == {"qdrant.reachable": Level.UNKNOWN}
    assert cluster_of(MODULE, live).spare == -1


def test_a_bare_host_is_prepared_then_started() -> None:
    bare = world(absent=("directory:", "image:", "container:"), answers=BARE)
    assert virgin(bare)
    stage = MODULE.next_stage(bare)
    assert stage is not None
    assert stage.name == "prepare"
    ready = world(absent=("container:",), answers=BARE)
    stage = MODULE.next_stage(ready)
    assert stage is not None
    assert (stage.name, [c.identity for c in stage.changes]) == ("start qdrant", [CONTAINER])
    assert stage.after is not None
    assert "no container" in (stage.after.reason(ready) or "")
    assert stage.after.reason(world()) is None


def test_data_without_a_container_is_not_virgin() -> None:
    held = {**BARE, DATA: Answer(DATA, {"there": True, "names": ["collections"]})}
    assert not virgin(world(absent=("container:",), answers=held))


def test_a_node_on_its_way_is_waited_for() -> None:
    starting = world(answers=said(ready=False))
    stage = MODULE.next_stage(starting)
    assert stage is not None
    assert (stage.name, stage.changes) == ("wait", ())
    assert not_serving(starting) == f"{HOST}: not all of its shards are ready"


def test_its_one_node_may_be_interrupted_when_that_is_asked_for() -> None:
    counted = cluster_of(MODULE, world())
    assert counted.survives([HOST])
    assert not counted.unled([HOST])


def test_a_run_never_changes_a_live_key() -> None:
    other = said(accepted=False, reason="no")
    with pytest.raises(RefusedError, match="a run never changes a live one"):
        MODULE.next_stage(world(absent=("container:",), answers=other))


def test_a_rotation_replaces_the_node_and_waits_for_the_new_key() -> None:
    (found,) = [one for one in offered(memory_site()) if one.rotation.service == "qdrant"]
    assert "nothing is served" in found.rotation.outage
    refused = Answer(LOGIN, {**SAID, "accepted": False, "reason": "Invalid API key"})
    stage = next_stage(world(absent=("container:",), answers={LOGIN: refused}))
    assert stage is not None
    assert stage.interrupts == "qdrant"
    guard_quorum(stage, [cluster_of(MODULE, world())])
    assert next_stage(world(answers={LOGIN: Answer(LOGIN, SAID)})) is None
    with pytest.raises(RefusedError, match="changes the key only"):
        next_stage(world(absent=("directory:",), answers={LOGIN: refused}))


def test_the_drill_kills_the_process_and_means_nothing_else() -> None:
    able = set(Scenario) - set(DRILL.not_applicable)
    assert able == {Scenario.CONTAINER_KILLED}
    assert not_recovered(world(), Scenario.CONTAINER_KILLED, HOST) is None
    gone = not_recovered(world(away=True), Scenario.CONTAINER_KILLED, HOST)
    assert gone == f"{HOST} cannot be read"
    away = world(answers={NODE: BARE[NODE]})
    assert not_recovered(away, Scenario.CONTAINER_KILLED, HOST) == "Qdrant does not answer"


def test_applications_know_it_by_word_scheme_and_port() -> None:
    found = {by_words(("shop", "qdrant", "url")), by_scheme("qdrant"), by_port(6333), by_port(6334)}
    assert {service.title for service in found if service} == {"Qdrant"}


def test_another_number_of_nodes_is_refused() -> None:
    from dataclasses import replace

    site = memory_site()
    alone = replace(site, servers=tuple(s for s in site.servers if s.name != HOST))
    with pytest.raises(InputError, match="exactly one node"):
        values.node(alone)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"guarded": False}, "serves 2 collections without a key"),
        (
            {"version": "1.17.1"},
            "the data is of Qdrant 1.17.1, and qdrant/qdrant:v1.19.0-unprivileged is",
        ),
        ({"version": "1.20.0"}, "the data is of Qdrant 1.20.0"),
        ({"version": "2.19.0"}, "the data is of Qdrant 2.19.0"),
        ({"version": "dev"}, r"cannot be told \(dev\)"),
        ({"version": "1.17.1", "guarded": False}, "the data is of Qdrant 1.17.1"),
    ],
)
def test_a_live_node_is_not_taken_from_its_clients_nor_its_data_ruined(
    words: dict[str, object], why: str
) -> None:
    live = world(answers=said(**words))
    for judged in (MODULE.foreign, MODULE.next_stage):
        with pytest.raises(RefusedError, match=why) as caught:
            judged(live)
        assert caught.value.where == HOST
        assert caught.value.hint


def test_a_node_that_is_not_of_the_run_is_not_judged() -> None:
    live = world(answers=said(version="1.17.1"))
    MODULE.foreign(replace(live, selected=frozenset({"redis-01"})))


@pytest.mark.parametrize("version", ["1.18.4", "1.19.2"])
def test_the_minor_version_before_is_opened(version: str) -> None:
    MODULE.foreign(world(answers=said(version=version)))


def test_data_of_another_user_is_refused_and_an_empty_folder_is_taken() -> None:
    live = world()
    view = live.hosts[HOST]
    name = f"directory:{values.STORAGE}"
    said = view.states[name].attributes
    assert said["owner"] == values.UID, "what the agent says of a directory"
    old = replace(view.states[name], attributes={**said, "owner": 0})
    other = replace(view, states={**view.states, name: old})
    with pytest.raises(RefusedError, match="data of user 0"):
        MODULE.foreign(replace(live, hosts={HOST: other}))
    bare = replace(
        other, answers={**other.answers, DATA: Answer(DATA, {"there": True, "names": []})}
    )
    MODULE.foreign(replace(live, hosts={HOST: bare}))


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("qdrant/qdrant:v1.17.1", "the data is of Qdrant qdrant/qdrant:v1.17.1"),
        ("qdrant/qdrant:latest", "cannot be told"),
    ],
)
def test_a_stopped_node_has_the_version_of_its_image(image: str, why: str) -> None:
    """Stopping it does not get around what its data needs."""
    live = world(answers={NODE: BARE[NODE]})
    view = live.hosts[HOST]
    was = view.states[CONTAINER]
    stopped = replace(was, attributes={**was.attributes, "image": image, "running": False})
    view = replace(view, states={**view.states, CONTAINER: stopped})
    with pytest.raises(RefusedError, match=why):
        MODULE.foreign(replace(live, hosts={HOST: view}))


def test_our_own_data_without_a_container_is_started_again() -> None:
    MODULE.foreign(world(absent=("container:",), answers={NODE: BARE[NODE]}))

"""What a stopped Galera node's answer means, word for word, and what a recovery asks of the hosts."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import Action
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import StoppedContainer
from keybuzz.site.module import Position
from tasks.galera import values
from tasks.galera.recover.choice import UNKNOWN
from tasks.galera.recover.recovery import NOTHING, forget, halt, position, question
from tasks.galera.rollout import next_stage
from tests.unit.tasks.galera.galera_world import HISTORY, HOSTS, World, site
from tests.unit.tasks.galera.test_recover_galera import NO_DATA, OTHER, ZERO, answer
from tests.unit.tasks.galera.test_rollout_galera import exited

WHOLE = "wsrep-recover"
NOT_BY_FILE = "grastate.dat: no whole copy"


def differing(said: str, found: str) -> tuple[str, str]:
    return (
        f"{WHOLE}; grastate.dat {said}",
        f"its grastate.dat says {said}, and its engine {found}",
    )


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (
            Answer("p", problem="ibdata1 is broken"),
            Position("m", UNKNOWN, -1, False, "ibdata1 is broken"),
        ),
        (NO_DATA, Position("m", "", -1, False, "no data", empty=True, warning=NOTHING)),
        (answer("", safe=True), Position("m", "", -1, True, "no database")),
        (answer("", databases=0), Position("m", "", -1, False, "no database", empty=True)),
        (
            answer(f"{HISTORY}:one"),
            Position("m", UNKNOWN, -1, False, "its position is no position"),
        ),
        (
            answer(f"{HISTORY}:7, {HISTORY}:8"),
            Position("m", UNKNOWN, -1, False, "its position is no position"),
        ),
        # The file says nothing, and the engine knows how far it is.
        (answer(f"{HISTORY}:0", (ZERO, -1)), Position("m", "", 0, False, NOT_BY_FILE)),
        (answer(f"{HISTORY}:9", ("", -1), safe=True), Position("m", "", 9, True, NOT_BY_FILE)),
        (answer(f"{HISTORY}:-1", (ZERO, -1)), Position("m", "", -1, False, NOT_BY_FILE)),
        (answer(f"{ZERO}:9", (ZERO, -1)), Position("m", "", -1, False, NOT_BY_FILE)),
        (
            answer(f"{HISTORY}:9", (ZERO, -1), databases=0),
            Position("m", "", -1, False, NOT_BY_FILE, empty=True),
        ),
        # The file names a history, and the engine holds no whole copy of any.
        (
            answer(f"{ZERO}:-1", safe=True),
            Position("m", "", -1, True, f"{WHOLE}: no whole copy"),
        ),
        (answer(f"{HISTORY}:-1"), Position("m", "", -1, False, f"{WHOLE}: no whole copy")),
        (answer(f"{ZERO}:4"), Position("m", "", -1, False, f"{WHOLE}: no whole copy")),
        # Both say the same, or the file leaves the number to the engine.
        (answer(f"{HISTORY}:0", (HISTORY, 0)), Position("m", HISTORY, 0, False, WHOLE)),
        (answer(f"{HISTORY}:5", (HISTORY, -1)), Position("m", HISTORY, 5, False, WHOLE)),
        (
            answer(f"{HISTORY}:5", (HISTORY, 5), safe=True, view=22, members=["a", "b"]),
            Position("m", HISTORY, 5, True, WHOLE, "", 22, ("a", "b")),
        ),
        (
            answer(f"{HISTORY}:5", (HISTORY, 5), databases=0),
            Position("m", HISTORY, 5, False, WHOLE, empty=True),
        ),
        # They contradict each other.
        (
            answer(f"{HISTORY}:5", (HISTORY, 0)),
            Position("m", HISTORY, 5, False, *differing(f"{HISTORY}:0", f"{HISTORY}:5")),
        ),
        (
            answer(f"{HISTORY}:5", (OTHER, -1)),
            Position("m", HISTORY, 5, False, *differing(f"{OTHER}:-1", f"{HISTORY}:5")),
        ),
    ],
)
def test_what_an_answer_means(told: Answer, wanted: Position) -> None:
    assert position("m", told) == wanted


class TestHalt:
    def test_a_stop_waits_as_long_as_the_container_may_take(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        world.nodes["maria-2"].states = World.healthy().nodes["maria-2"].states
        stage = halt(world.live())
        assert stage is not None
        assert stage.name == "stop what serves no client"
        [change] = stage.changes
        assert (change.host, change.module, change.action) == ("maria-2", "galera", Action.UPDATE)
        assert [(d.attribute, d.observed, d.wanted) for d in change.differences] == [
            ("running", True, False)
        ]
        assert change.resource == StoppedContainer(values.CONTAINER, values.STOP_TIMEOUT)

    def test_members_that_serve_without_a_flag_are_left_to_a_plain_run(self) -> None:
        with pytest.raises(
            RefusedError, match="maria-1, maria-2, maria-3 is in a Primary"
        ) as error:
            halt(World.healthy().live())
        assert error.value.hint == "kbz run galera starts the rest"

    def test_a_first_start_that_was_cut_off_is_no_recovery(self) -> None:
        world = World.empty()
        for name in ("prepare", "mark the first start"):
            stage = next_stage(world.live())
            assert stage is not None
            assert stage.name == name
            world.apply(stage)
        exited(world, "maria-1")
        with pytest.raises(RefusedError, match="a first start was cut off on maria-1") as error:
            halt(world.live())
        assert error.value.hint == "kbz run galera begins the first start again"


class TestForget:
    def test_a_cluster_of_one_has_no_other_to_forget_anything(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        for host in HOSTS[1:]:
            world.nodes[host].reachable = False
        assert forget(world.live(), "maria-1") is None

    def test_it_takes_files_away_that_are_there(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        stage = forget(world.live(), "maria-1")
        assert stage is not None
        assert stage.name == "all others take a full copy"
        for change in stage.changes:
            assert change.action is Action.UPDATE
            assert change.resource.name.startswith(f"{values.DATA}/")
            [difference] = change.differences
            assert (difference.attribute, difference.observed, difference.wanted) == (
                "there",
                True,
                False,
            )


def test_the_question_runs_the_script_of_the_module_with_the_nodes_own_settings() -> None:
    asked = question(site(), site().members("galera")[0])
    assert asked.argv[:2] == ("/bin/bash", "-c")
    assert asked.argv[3:] == ("position", values.CUSTOM_CNF, f"{values.INSIDE}/data")
    assert asked.binds == (
        f"{values.VOLUME}:{values.INSIDE}:rw",
        f"{values.MY_CNF}:{values.CUSTOM_CNF}:ro",
    )

"""After a total stop: the most advanced node of one history is chosen and proven, or nothing is started."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from keybuzz.report.text.positions import positions_text
from keybuzz.site.module import Position
from tasks.galera import MODULE, values
from tasks.galera.recovery import choose, halt, position, question, start
from tests.unit.tasks.galera.galera_world import HISTORY, HOSTS, World, holds, roll, site

OTHER = "99999999-2222-11f1-94c9-5a6ffdb6ac67"
ZERO = "00000000-0000-0000-0000-000000000000"


def answer(
    uuid: str = HISTORY, seqno: int = -1, *, safe: bool = False, recovered: str = ""
) -> Answer:
    value = {"there": True, "uuid": uuid, "seqno": seqno, "safe": safe, "recovered": recovered}
    return Answer("galera.position", value)


NO_DATA = Answer(
    "galera.position", {"there": False, "uuid": "", "seqno": -1, "safe": False, "recovered": ""}
)
histories = st.sampled_from([HISTORY, OTHER, ZERO])
numbers = st.integers(0, 5)
answers = st.one_of(
    st.just(NO_DATA),
    st.just(Answer("galera.position", problem="the server does not find its position")),
    st.builds(lambda h, n, s: answer(h, n, safe=s), histories, numbers, st.booleans()),
    st.builds(
        lambda h, n: answer(HISTORY, recovered=f"{h}:{n}"),
        histories,
        st.integers(-1, 5),
    ),
)


@given(st.tuples(answers, answers, answers))
def test_it_chooses_the_most_advanced_of_one_history_or_refuses(
    found: tuple[Answer, Answer, Answer],
) -> None:
    positions = tuple(position(host, item) for host, item in zip(HOSTS, found, strict=True))
    holding = [item for item in positions if item.number >= 0]
    sure = all(item.known for item in found) and len({item.history for item in holding}) == 1
    if not sure:
        with pytest.raises(RefusedError):
            choose(positions)
        return
    chosen = next(item for item in positions if item.host == choose(positions))
    assert chosen.number == max(item.number for item in holding)
    assert chosen.history == holding[0].history
    assert chosen.host in positions_text(positions, chosen.host)


class TestChoice:
    def test_what_the_server_found_counts_more_than_grastate(self) -> None:
        found = position("maria-1", answer(HISTORY, -1, recovered=f"{HISTORY}:42"))
        assert (found.number, found.source) == (42, "wsrep-recover")

    def test_safe_to_bootstrap_decides_only_between_equals(self) -> None:
        ahead = Position("maria-1", HISTORY, 9, False, "wsrep-recover")
        marked = Position("maria-2", HISTORY, 8, True, "grastate.dat")
        assert choose((ahead, marked)) == "maria-1"
        equal = Position("maria-3", HISTORY, 9, True, "grastate.dat")
        assert choose((ahead, marked, equal)) == "maria-3"

    def test_a_node_that_got_half_a_copy_is_no_candidate(self) -> None:
        half = position("maria-1", answer(ZERO, -1, safe=True, recovered=f"{ZERO}:-1"))
        whole = position("maria-2", answer(HISTORY, 3))
        assert choose((half, whole)) == "maria-2"
        with pytest.raises(RefusedError, match="no node holds a whole copy"):
            choose((half,))

    def test_two_histories_are_the_owners_decision(self) -> None:
        one = Position("maria-1", HISTORY, 9, False, "")
        other = Position("maria-2", OTHER, 8, False, "")
        with pytest.raises(RefusedError, match="different histories"):
            choose((one, other))

    def test_an_unknown_position_may_be_the_best(self) -> None:
        unknown = position("maria-1", Answer("p", problem="ibdata1 is broken"))
        with pytest.raises(RefusedError, match="ibdata1 is broken"):
            choose((unknown, Position("maria-2", HISTORY, 8, True, "")))


class TestHalt:
    def test_it_is_refused_while_a_node_serves(self) -> None:
        world = World.healthy()
        world.stop("maria-1", "maria-2")
        with pytest.raises(RefusedError, match="maria-3 is in a Primary component"):
            halt(world.live())

    @pytest.mark.parametrize("away", HOSTS)
    def test_it_is_refused_while_one_can_not_be_asked(self, away: str) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        world.nodes[away].reachable = False
        with pytest.raises(RefusedError, match=f"{away} cannot be read"):
            halt(world.live())

    def test_it_is_refused_on_virgin_ground(self) -> None:
        with pytest.raises(RefusedError, match="no data on any node"):
            halt(World.empty().live())

    def test_what_runs_without_serving_is_stopped_and_nothing_else(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        assert halt(world.live()) is None
        states = world.nodes["maria-2"].states
        world.nodes["maria-2"].states = World.healthy().nodes["maria-2"].states
        stage = halt(world.live())
        assert stage is not None
        assert [change.host for change in stage.changes] == ["maria-2"]
        assert states is not world.nodes["maria-2"].states

    def test_a_password_that_is_not_taken_may_be_one_that_serves(self) -> None:
        world = World.healthy()
        world.stop("maria-1", "maria-2")
        world.nodes["maria-3"].denied = "Access denied"
        world.nodes["maria-3"].primary = False
        with pytest.raises(RefusedError, match="maria-3 does not take the password"):
            halt(world.live())


@pytest.mark.parametrize("best", HOSTS)
def test_the_chosen_node_begins_and_the_rollout_ends_with_joiners(best: str) -> None:
    world = World.healthy()
    world.stop(*HOSTS)
    world.nodes[best].number = 200
    stage = start(world.live(), best)
    world.apply(stage)
    assert holds(stage.after, world, frozenset(HOSTS))
    assert roll(world).word == "done"
    assert world.births == 1
    assert {node.number for node in world.nodes.values()} == {200}
    assert not any(node.flagged for node in world.nodes.values())


def test_a_recovery_that_was_cut_off_is_finished_by_a_plain_run() -> None:
    world = World.healthy()
    world.stop(*HOSTS)
    world.apply(start(world.live(), "maria-2"))
    with pytest.raises(RefusedError, match="Primary") as error:
        halt(world.live())
    assert error.value.hint == "kbz run galera goes on from there"
    assert roll(world).word == "done"
    assert [s.name for s in world.trail if s.changes][1:] == [
        "join maria-1",
        "join maria-3",
        "replace mariadb on maria-2",
    ]


def test_the_question_reads_the_same_data_with_the_same_image() -> None:
    server = site().members("galera")[0]
    asked, container = question(site(), server), values.container(site(), server)
    assert asked.image == container.image
    assert {bind.rsplit(":", 1)[0] for bind in asked.binds} <= {
        f"{bind.source}:{bind.target}" for bind in container.binds
    }
    assert asked.argv[-1] == "--wsrep-recover"
    assert MODULE.recovery is not None
    assert MODULE.recovery.name(site()) == "keybuzz-galera"

"""After a total stop: the most advanced node of one history is chosen and proven, or nothing is started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from keybuzz.report.text.positions import positions_text
from keybuzz.site.module import Position
from tasks.galera import MODULE, values
from tasks.galera.recover.choice import JUMP
from tasks.galera.recover.recovery import choose, forget, halt, position, question, start
from tests.unit.tasks.galera.galera_world import HISTORY, HOSTS, World, roll, site

OTHER = "99999999-2222-11f1-94c9-5a6ffdb6ac67"
ZERO = "00000000-0000-0000-0000-000000000000"


def answer(
    recovered: str, said: tuple[str, int] = (HISTORY, -1), *, safe: bool = False, **more: Any
) -> Answer:
    """Return what a node with a database of a user says: its engine's position, and its file's."""
    value = {
        "there": True,
        "uuid": said[0],
        "seqno": said[1],
        "safe": safe,
        "recovered": recovered,
        "view": -1,
        "members": [],
        "databases": 1,
        **more,
    }
    return Answer("galera.position", value)


NO_DATA = answer("", ("", -1), there=False, databases=0)
SILENT = Answer("galera.position", problem="the server does not find its position")


@dataclass(frozen=True)
class Truth:
    """One stopped node: what it really holds, and what lies in its grastate.dat, whoever wrote it there."""

    history: str
    number: int
    """Of its engine; -1 when it holds no whole copy."""
    said: tuple[str, int]
    safe: bool
    reachable: bool
    members: tuple[str, ...]
    view: int

    def answer(self) -> Answer:
        if not self.reachable:
            return SILENT
        recovered = f"{self.history}:{self.number}"
        more = {"view": self.view, "members": list(self.members)}
        return answer(recovered, self.said, safe=self.safe, **more)


histories = st.sampled_from([HISTORY, HISTORY, HISTORY, OTHER])
numbers = st.one_of(st.integers(-1, 5), st.sampled_from([7, 8, 99999999]))
truths = st.builds(
    Truth,
    histories,
    numbers,
    st.tuples(st.sampled_from([HISTORY, HISTORY, OTHER, ZERO, ""]), numbers),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([HOSTS, HOSTS[:2], HOSTS[1:], HOSTS[2:], ()]),
    st.integers(1, 6),
)


class TestUnderAttack:
    """Files say whatever somebody wrote into them; engines say what is there; some nodes cannot be asked."""

    @settings(max_examples=1000, deadline=None)
    @given(st.tuples(truths, truths, truths))
    def test_what_is_started_is_behind_no_node_and_alone_in_its_claim(
        self, found: tuple[Truth, Truth, Truth]
    ) -> None:
        nodes = dict(zip(HOSTS, found, strict=True))
        positions = tuple(position(host, node.answer()) for host, node in nodes.items())
        try:
            best = nodes[choose(positions)]
        except RefusedError:
            return
        assert all(node.reachable for node in found)
        assert best.number >= 0
        known = [node for node in found if node.number >= 0]
        assert best.number == max(node.number for node in known)
        candidates = [node for node in known if node.said[0] not in ("", ZERO)]
        assert {node.history for node in candidates} == {best.history}
        assert sum(node.safe for node in candidates) <= 1, "two claim to be the last"
        for node in candidates:
            assert node.said[0] == node.history, "a file and its engine differ in history"
            assert node.said[1] in (-1, node.number), "a file and its engine differ in number"
        seen = sorted((node for node in candidates if node.members), key=lambda node: node.view)
        assert all(set(a.members) & set(b.members) for a, b in pairwise(seen)), "a split"

    @given(st.permutations(range(3)), st.integers(0, 5))
    def test_honest_nodes_of_one_cluster_are_never_refused(
        self, order: list[int], behind: int
    ) -> None:
        """Killed one after the other: the last ones have the same, the first is behind, and all were together."""
        numbers = (20 - behind, 20, 20)
        positions = tuple(
            position(
                host, answer(f"{HISTORY}:{numbers[place]}", view=place + 1, members=list(HOSTS))
            )
            for host, place in zip(HOSTS, order, strict=True)
        )
        assert next(p for p in positions if p.host == choose(positions)).number == 20


class TestChoice:
    def test_an_edited_file_is_refused_with_both_numbers(self) -> None:
        """One line, `seqno: 99999999`, once chose the oldest of three nodes (S-33)."""
        edited = position("maria-1", answer(f"{HISTORY}:5", (HISTORY, 99999999), safe=True))
        others = [position(host, answer(f"{HISTORY}:8")) for host in HOSTS[1:]]
        with pytest.raises(
            RefusedError, match=f"says {HISTORY}:99999999, and its engine {HISTORY}:5"
        ):
            choose((edited, *others))
        assert "grastate.dat" in positions_text((edited,), "")

    def test_safe_to_bootstrap_decides_only_between_equals(self) -> None:
        ahead = Position("maria-1", HISTORY, 9, False, "wsrep-recover")
        equal = Position("maria-3", HISTORY, 9, True, "wsrep-recover")
        assert choose((ahead, equal)) == "maria-3"

    def test_the_last_to_leave_that_is_behind_is_refused(self) -> None:
        ahead = Position("maria-1", HISTORY, 9, False, "wsrep-recover")
        last = Position("maria-2", HISTORY, 8, True, "wsrep-recover")
        with pytest.raises(RefusedError, match="last to leave, with 8, and another node has 9"):
            choose((ahead, last))

    def test_two_that_were_the_last_to_leave_are_refused(self) -> None:
        one = Position("maria-1", HISTORY, 9, True, "wsrep-recover")
        with pytest.raises(RefusedError, match="only one can be"):
            choose((one, replace(one, host="maria-2")))

    def test_a_jump_that_no_node_explains_is_refused_unless_it_was_the_last(self) -> None:
        far = Position("maria-1", HISTORY, 9 + JUMP + 1, False, "wsrep-recover")
        near = Position("maria-2", HISTORY, 9, False, "wsrep-recover")
        with pytest.raises(RefusedError, match="ahead of every other node"):
            choose((far, near))
        assert choose((replace(far, marked=True), near)) == "maria-1"

    def test_a_million_changes_ahead_is_no_jump_and_one_more_is(self) -> None:
        near = Position("maria-2", HISTORY, 9, False, "wsrep-recover")
        assert choose((replace(near, host="maria-1", number=1_000_009), near)) == "maria-1"
        with pytest.raises(RefusedError, match=r"^maria-1: it is 1000001 changes ahead"):
            choose((replace(near, host="maria-1", number=1_000_010), near))

    def test_a_split_is_recognised_by_components_without_a_common_member(self) -> None:
        """Cut two and one, both sides wrote, so that the numbers prove nothing (S-37)."""
        pair: Any = {"view": 22, "members": ["maria-1", "maria-2"]}
        sides = (
            position("maria-1", answer(f"{HISTORY}:30", **pair)),
            position("maria-2", answer(f"{HISTORY}:30", **pair)),
            position("maria-3", answer(f"{HISTORY}:30", view=22, members=["maria-3"])),
        )
        with pytest.raises(RefusedError, match="the cluster was split") as error:
            choose(sides)
        assert "kbz recover galera --from HOST" in error.value.hint
        assert choose(sides, "maria-3") == "maria-3"

    def test_members_that_left_one_after_the_other_were_not_split(self) -> None:
        left = (
            position("maria-1", answer(f"{HISTORY}:8", view=5, members=["maria-1", "maria-2"])),
            position("maria-2", answer(f"{HISTORY}:9", view=7, members=["maria-2", "maria-3"])),
            position("maria-3", answer(f"{HISTORY}:9", view=9, members=["maria-3"], safe=True)),
        )
        assert choose(left) == "maria-3"

    def test_a_node_that_got_half_a_copy_is_no_candidate(self) -> None:
        half = position("maria-1", answer(f"{ZERO}:-1", (ZERO, -1), safe=True))
        whole = position("maria-2", answer(f"{HISTORY}:3"))
        assert choose((half, whole)) == "maria-2"
        for none in ((half,), (position("maria-2", NO_DATA),)):
            with pytest.raises(
                RefusedError, match="no node holds a whole copy of the data"
            ) as error:
                choose(none)
            assert error.value.hint.startswith("restore a backup")

    def test_a_file_that_denies_its_data_hides_no_writes(self) -> None:
        denied = position("maria-1", answer(f"{HISTORY}:9", (ZERO, -1)))
        whole = position("maria-2", answer(f"{HISTORY}:3"))
        with pytest.raises(RefusedError, match="its engine holds 9, more than any whole copy"):
            choose((denied, whole))

    def test_a_first_start_that_was_cut_off_is_told_as_such(self) -> None:
        """Without kbz's mark: somebody else's first start left an empty grastate.dat, and no table of a user."""
        begun = position("maria-1", answer(f"{ZERO}:-1", ("", -1), databases=0))
        nothing = position("maria-2", NO_DATA)
        with pytest.raises(RefusedError, match="a first start was cut off") as error:
            choose((begun, nothing))
        assert "kbz run galera installs a new cluster" in error.value.hint
        assert "backup" not in error.value.hint
        with pytest.raises(RefusedError, match="a first start was cut off"):
            choose((begun,))

    def test_two_histories_are_the_owners_decision(self) -> None:
        one = Position("maria-1", HISTORY, 9, False, "")
        other = Position("maria-2", OTHER, 8, False, "")
        with pytest.raises(RefusedError, match="different histories"):
            choose((one, other))
        assert choose((one, other), "maria-2") == "maria-2"

    def test_an_unknown_position_may_be_the_best(self) -> None:
        unknown = position("maria-1", Answer("p", problem="ibdata1 is broken"))
        with pytest.raises(RefusedError, match="ibdata1 is broken"):
            choose((unknown, Position("maria-2", HISTORY, 8, True, "")))

    @pytest.mark.parametrize(
        ("named", "why"), [("maria-2", "no whole copy"), ("maria-9", "is no member")]
    )
    def test_a_named_source_must_hold_the_data(self, named: str, why: str) -> None:
        whole = Position("maria-1", HISTORY, 9, False, "")
        with pytest.raises(RefusedError, match=why):
            choose((whole, position("maria-2", NO_DATA)), named)


def test_beside_a_named_source_no_node_keeps_a_position() -> None:
    world = World.healthy()
    world.stop(*HOSTS)
    stage = forget(world.live(), "maria-2")
    assert stage is not None
    gone = {(change.host, change.resource.name.rpartition("/")[2]) for change in stage.changes}
    assert gone == {
        (host, name) for host in ("maria-1", "maria-3") for name in ("grastate.dat", "gvwstate.dat")
    }


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
    assert stage.after is not None
    world.wait()
    assert stage.after.reason(world.live()) is None
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
    assert "--wsrep-recover" in asked.argv[2]
    assert asked.argv[-2:] == (values.CUSTOM_CNF, f"{values.INSIDE}/data")
    assert MODULE.recovery is not None
    assert MODULE.recovery.name(site()) == "keybuzz-galera"

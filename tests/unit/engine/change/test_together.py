"""Which members count as one cluster, who may be stopped when few could take over, and what no gate waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.change import proof
from keybuzz.engine.change.guard import Cluster, QuorumError, guard_quorum
from keybuzz.model.core.finding import CheckInfo, Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.together import largest, sides
from tasks.patroni import MODULE
from tests.unit.engine.change.test_guard import NAMES, stage

seen = st.dictionaries(
    st.sampled_from("abcde"), st.frozensets(st.sampled_from("abcde")), max_size=5
)


class TestTogether:
    @given(seen)
    def test_each_member_is_in_one_side_whose_members_see_each_other(
        self, sees: dict[str, frozenset[str]]
    ) -> None:
        found = sides(sees)
        assert sorted(name for side in found for name in side) == sorted(sees)
        for side in found:
            assert all(b in sees[a] for a in side for b in side if a != b)
        assert [len(side) for side in found] == sorted((len(s) for s in found), reverse=True)
        assert not found or largest(sees) == found[0]

    def test_one_that_is_seen_and_does_not_see_is_apart(self) -> None:
        assert sides({"a": "abc", "b": "abc", "c": "c"}) == (frozenset("ab"), frozenset("c"))

    def test_nothing_is_no_side(self) -> None:
        assert (sides({}), largest({})) == ((), frozenset())


class TestAble:
    @given(st.integers(2, 7), st.data())
    def test_the_last_that_could_serve_is_never_stopped(
        self, size: int, data: st.DataObject
    ) -> None:
        members = NAMES[:size]
        able = data.draw(st.sets(st.sampled_from(members), min_size=1))
        stopping = data.draw(st.sets(st.sampled_from(members)))
        found = Cluster("x", frozenset(members), frozenset(members), able=frozenset(able))
        try:
            guard_quorum(stage(sorted(stopping)), [found])
        except QuorumError:
            return
        assert able - stopping, "nobody is left to serve"
        assert 0 <= found.spare < len(able)

    def test_a_cluster_of_one_is_stopped_when_it_is_asked_for(self) -> None:
        one = Cluster("x", frozenset({"a"}), frozenset({"a"}), least=0, able=frozenset({"a"}))
        assert not one.unled({"a"})

    def test_where_nothing_serves_there_is_nothing_to_lose(self) -> None:
        down = Cluster("x", frozenset(NAMES[:3]), frozenset(), able=frozenset())
        guard_quorum(stage(NAMES[:1]), [down])
        assert down.spare < 0


class TestLasting:
    def live(self) -> Live:
        return Live("patroni", (), {}, {}, frozenset())

    @pytest.mark.parametrize(
        ("level", "lasting", "said"),
        [(Level.CRITICAL, True, True), (Level.CRITICAL, False, False), (Level.WARN, True, False)],
    )
    def test_only_what_waiting_does_not_change_ends_a_gate(
        self, level: Level, lasting: bool, said: bool
    ) -> None:
        finding = Finding("x.alarm", level, "disk", "queue-01", "free the disk")
        info = CheckInfo("x.alarm", "t", "m.", "n", lasting=lasting)
        module = replace(MODULE, checks=lambda live: (finding,), check_infos=(info,))
        why = proof.lasting(module, self.live())
        assert why == ("queue-01: x.alarm: disk; free the disk" if said else None)

    def test_what_cannot_be_judged_proves_nothing(self) -> None:
        def broken(live: Live) -> tuple[Finding, ...]:
            raise ValueError(live.module)

        info = CheckInfo("x.alarm", "t", "m.", "n", lasting=True)
        assert (
            proof.lasting(replace(MODULE, checks=broken, check_infos=(info,)), self.live()) is None
        )

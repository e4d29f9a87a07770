"""One guard for all that is at work: together they stop no more members than one alone might."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.chains.guard import Guard
from keybuzz.engine.change.guard import Cluster, QuorumError
from keybuzz.model.core.live import Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.restart import ContainerRestart

NAMES = tuple(f"n{number}" for number in range(5))


def stopping(*hosts: str) -> Stage:
    restart = ContainerRestart("app", seen="old")
    return Stage(
        "restart", tuple(Change(h, "demo", restart, Action.UPDATE, disrupts=True) for h in hosts)
    )


def cluster(size: int = 3, **more: frozenset[str]) -> Cluster:
    members = frozenset(NAMES[:size])
    return Cluster("demo", members, more.get("up", members), able=more.get("able"))


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(NAMES)), max_size=12),
)
def test_never_are_more_down_than_the_quorum_allows(
    size: int, wishes: list[tuple[str, str]]
) -> None:
    """Three at work wish to stop members in any order; who is refused does not, and each lets go in the end."""
    found, guard = cluster(size), Guard()
    down: set[str] = set()
    with ExitStack() as held:
        for who, host in wishes:
            if host not in found.members or host in down:
                continue
            try:
                held.enter_context(guard.holding(who, stopping(host), [found]))
            except QuorumError:
                # One alone is asked about its own stages one by one, as ever.
                others = down - {host}
                assert len(found.members - others - {host}) < found.majority
            else:
                down.add(host)
                mine = {h for w, h in wishes if w == who}
                assert len(found.members - (down - mine) - {host}) >= found.majority
    guard.require("d", stopping(NAMES[0]), [cluster(3)])


def test_what_another_one_stops_counts_as_down_until_it_is_back() -> None:
    guard = Guard()
    with guard.holding("a", stopping("n0"), [cluster()]):
        with pytest.raises(QuorumError, match="would keep 1 of 3 members; it needs 2"):
            guard.require("b", stopping("n1"), [cluster()])
        guard.require("a", stopping("n1"), [cluster()])
    guard.require("b", stopping("n1"), [cluster()])


def test_it_counts_also_where_the_other_one_was_seen_down_already() -> None:
    guard = Guard()
    with guard.holding("a", stopping("n0"), [cluster()]), pytest.raises(QuorumError):
        guard.require("b", stopping("n1"), [cluster(up=frozenset({"n1", "n2"}))])


def test_the_last_that_could_take_over_is_counted_too() -> None:
    guard = Guard()
    able = cluster(able=frozenset({"n0", "n1"}))
    with guard.holding("a", stopping("n0"), [able]), pytest.raises(QuorumError, match="take over"):
        guard.require("b", stopping("n1"), [able])


def test_who_stops_nothing_of_a_cluster_is_not_held_up_by_another() -> None:
    guard = Guard()
    broken = cluster(up=frozenset({"n0"}))
    with guard.holding("a", stopping("n4"), []):
        guard.require("b", stopping("elsewhere"), [broken])

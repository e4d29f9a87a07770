"""The quorum guard: no stage passes that takes a cluster below its majority."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.change.guard import Cluster, disrupted, guard_quorum
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container

NAMES = [f"n{number}" for number in range(9)]


def stage(stopping: list[str], gentle: list[str] | None = None) -> Stage:
    """Return a stage that interrupts a service on some hosts, and nothing on others."""
    container = Container("c", "image:1.0")
    return Stage(
        "replace",
        (
            *(Change(host, "m", container, Action.UPDATE, disrupts=True) for host in stopping),
            *(Change(host, "m", container, Action.CREATE) for host in gentle or []),
        ),
    )


def cluster(size: int, up: set[str], name: str = "patroni") -> Cluster:
    return Cluster(name, frozenset(NAMES[:size]), frozenset(up))


@given(st.integers(1, 9), st.data())
def test_what_passes_keeps_the_majority(size: int, data: st.DataObject) -> None:
    members = NAMES[:size]
    up = data.draw(st.sets(st.sampled_from(members)))
    stopping = data.draw(st.sets(st.sampled_from(NAMES)))
    found = cluster(size, up)
    left = up - stopping
    quorate = len(up) > size / 2
    try:
        guard_quorum(stage(sorted(stopping)), [found])
        passed = True
    except RefusedError:
        passed = False
    assert passed == (not up & stopping or not quorate or len(left) > size / 2)
    if passed and quorate:
        assert len(left) > size / 2


@given(st.integers(1, 9))
def test_with_all_members_up_a_minority_may_stop_and_no_more(size: int) -> None:
    found = cluster(size, set(NAMES[:size]))
    may_stop = (size - 1) // 2
    guard_quorum(stage(NAMES[:may_stop]), [found])
    with pytest.raises(RefusedError):
        guard_quorum(stage(NAMES[: may_stop + 1]), [found])


@given(st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from(NAMES))), max_size=4))
def test_one_endangered_cluster_is_enough(clusters: list[tuple[int, set[str]]]) -> None:
    found = [
        cluster(size, up & set(NAMES[:size]), f"c{number}")
        for number, (size, up) in enumerate(clusters)
    ]
    stopping = ["n0", "n1"]
    endangered = [item.name for item in found if not item.survives(stopping)]
    if not endangered:
        guard_quorum(stage(stopping), found)
        return
    with pytest.raises(RefusedError) as caught:
        guard_quorum(stage(stopping), found)
    assert caught.value.where == endangered[0]


def test_changes_that_interrupt_nothing_do_not_count() -> None:
    every = NAMES[:3]
    guard_quorum(stage([], every), [cluster(3, set(every))])
    assert disrupted(stage(["n0"], ["n1"])) == {"n0"}


def test_a_refusal_says_what_would_be_left_and_the_way_out() -> None:
    with pytest.raises(RefusedError) as caught:
        guard_quorum(stage(["n0"]), [cluster(3, {"n0", "n1"})])
    assert caught.value.code is ExitCode.REFUSED
    assert str(caught.value) == (
        "patroni: stage “replace” would stop n0, and patroni would keep 1 of 3 members; it needs 2"
        "\n  → bring back n2 first"
    )
    with pytest.raises(RefusedError, match="use --limit with one host"):
        guard_quorum(stage(["n0", "n1"]), [cluster(3, {"n0", "n1", "n2"})])


def test_a_member_that_is_down_already_may_be_worked_on() -> None:
    guard_quorum(stage(["n2"]), [cluster(3, {"n0", "n1"})])


def test_a_cluster_without_quorum_has_none_to_lose() -> None:
    guard_quorum(stage(["n0"]), [cluster(3, {"n0"})])

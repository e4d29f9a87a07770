"""Where the stand-in of ProxySQL places nodes: what was seen of 2.6.4 (facts/08), check by check."""

from __future__ import annotations

import pytest

# A stand-in is a program of its own, and no typed package.
from tasks.proxysql.stand_in.proxysql.proxysql.placing import (  # type: ignore[import-untyped]
    Groups,
    Node,
    Placing,
    Row,
)

A, B, C = NODES = tuple((f"10.0.0.17{number}", 3306) for number in range(3))
GROUPS = Groups(10, 20, 30, 9999, 1, 1)
ALSO_NOT, ALSO_BACKUPS = Groups(10, 20, 30, 9999, 1, 0), Groups(10, 20, 30, 9999, 1, 2)
READS_AND_WRITES = {10, 30}


def placed(groups: Groups = GROUPS) -> Placing:
    """Return three nodes of the same weight that were all checked after a load of all among the writers."""
    made = Placing()
    made.load({(10, node): Row(1000) for node in NODES}, groups, 0.0)
    for node in NODES:
        made.serves(node, groups)
    return made


def serving(made: Placing, node: Node) -> set[int]:
    return {
        group
        for (group, found), row in made.rows.items()
        if found == node and row.status == "ONLINE"
    }


def test_the_last_by_its_name_takes_the_writes_and_the_others_stand_by() -> None:
    made = placed()
    assert [serving(made, node) for node in NODES] == [{20, 30}, {20, 30}, READS_AND_WRITES]
    assert made.rows[10, A].status == made.rows[10, B].status == "SHUNNED"


@pytest.mark.parametrize(
    ("groups", "readers"), [(GROUPS, {A, B, C}), (ALSO_NOT, set()), (ALSO_BACKUPS, {A, B})]
)
def test_who_reads_is_as_writer_is_also_reader_says(groups: Groups, readers: set[Node]) -> None:
    made = placed(groups)
    assert {node for node in NODES if 30 in serving(made, node)} == readers


def test_a_writer_that_goes_away_is_followed_by_the_next_and_comes_back_at_once() -> None:
    made = placed()
    made.away(C, GROUPS, (A, B))
    assert [serving(made, node) for node in NODES] == [{20, 30}, READS_AND_WRITES, {9999}]
    made.away(C, GROUPS, (A, B))
    assert serving(made, C) == {9999}
    made.serves(A, GROUPS)
    assert serving(made, B) == READS_AND_WRITES
    made.serves(C, GROUPS)
    assert [serving(made, node) for node in NODES] == [{20, 30}, {20, 30}, READS_AND_WRITES]


def test_a_node_that_is_read_only_reads_and_no_more() -> None:
    made = placed()
    made.reads(C, GROUPS)
    assert [serving(made, node) for node in NODES] == [{20, 30}, READS_AND_WRITES, {30}]


def test_without_any_node_nobody_writes_but_one_whose_newest_check_was_good() -> None:
    made = placed()
    for node in NODES:
        made.away(node, GROUPS, ())
    assert [serving(made, node) for node in NODES] == [{9999}] * 3
    made.away(A, GROUPS, (B,))
    assert 10 in serving(made, B)


def test_a_heavier_node_takes_the_writes_when_its_own_check_comes() -> None:
    made = placed()
    rows = {(20, A): Row(5000), (30, A): Row(5000), (20, B): Row(1000), (10, C): Row(1000)}
    made.load(rows, GROUPS, 10.0)
    made.serves(B, GROUPS)
    assert 10 in serving(made, C)
    made.serves(A, GROUPS)
    assert [10 in serving(made, node) for node in NODES] == [True, False, False]
    made.serves(C, GROUPS)
    assert [10 in serving(made, node) for node in NODES] == [True, False, False]


def test_a_writers_row_that_a_load_takes_away_keeps_its_weight_until_a_later_load() -> None:
    made = placed()
    rows = {(10, B): Row(1000), (20, A): Row(1000), (20, C): Row(5), (30, C): Row(5)}
    made.load(rows, GROUPS, 10.0)
    made.serves(C, GROUPS)
    assert (10 in serving(made, C), made.rows[10, C].weight) == (True, 1000)
    made.load(rows, GROUPS, 10.1)
    made.serves(C, GROUPS)
    assert made.rows[10, C].weight == 1000, "two loads at once find it still there"
    made.load(rows, GROUPS, 10.5)
    made.serves(C, GROUPS)
    made.serves(B, GROUPS)
    assert (10 in serving(made, B), made.rows[20, C].weight) == (True, 5)

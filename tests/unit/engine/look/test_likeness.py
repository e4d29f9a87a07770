"""Members that must hold the same: what is proven by readings that clients' writes disturb."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.look.likeness import different, judged, unsettled
from keybuzz.model.core.finding import Level
from keybuzz.model.core.reading import Answer
from tasks.galera.checks import LIKENESS, alone

HOSTS = ("maria-01", "maria-02", "maria-03")


def held(*numbers: str | None, table: str = "erp.a") -> dict[str, dict[str, str]]:
    """Return what each member says of one table; None: it has no such table."""
    return {
        host: {"erp.same": "1", **({} if number is None else {table: number})}
        for host, number in zip(HOSTS, numbers, strict=True)
    }


class TestVerdict:
    def test_the_same_everywhere_is_good_at_once(self) -> None:
        rounds = [held("5", "5", "5")]
        assert not unsettled(rounds)
        found = judged(LIKENESS, rounds)
        assert (found.level, found.message) == (Level.OK, "2 tables are the same on 3 members")

    def test_a_fork_is_critical_with_table_and_sides(self) -> None:
        found = judged(LIKENESS, [held("5", "5", "7"), held("5", "5", "7")])
        assert found.level is Level.CRITICAL
        assert "erp.a: maria-01 = maria-02 / maria-03" in found.message

    def test_a_table_that_one_member_lacks_is_different(self) -> None:
        assert different([held("5", "5", None), held("5", "5", None)]) == {"erp.a"}

    def test_what_is_written_meanwhile_is_no_fork(self) -> None:
        rounds = [held("1", "2", "2"), held("3", "4", "4")]
        assert not different(rounds)
        assert judged(LIKENESS, rounds).level is Level.WARN
        assert not unsettled([*rounds, held("5", "5", "5")])

    def test_one_look_proves_no_difference(self) -> None:
        assert not different([held("5", "5", "7")])


@given(st.lists(st.tuples(*[st.sampled_from("123")] * 3), min_size=1, max_size=4))
def test_members_that_agreed_once_are_never_called_different(
    rounds: list[tuple[str, str, str]],
) -> None:
    found = [held(*each) for each in rounds]
    if any(len(set(each)) == 1 for each in rounds):
        assert not different(found)
    assert different(found) <= unsettled(found)


class TestReplicated:
    def test_a_table_that_lives_on_one_node_is_named(self) -> None:
        """MyISAM rows stay where they were written (S-35)."""
        tables = {
            "erp.a": {"engine": "InnoDB", "rows": 3, "checksum": "1"},
            "erp.old": {"engine": "MyISAM", "rows": 2, "checksum": "2"},
        }
        [found] = alone("maria-01", Answer("x", {"denied": "", "tables": tables}))
        assert (found.check, found.level) == ("galera.tables.replicated", Level.WARN)
        assert "erp.old (MyISAM, about 2 rows)" in found.message

    def test_only_replicated_tables_are_good(self) -> None:
        tables = {"erp.a": {"engine": "InnoDB", "rows": 3, "checksum": "1"}}
        [found] = alone("maria-01", Answer("x", {"denied": "", "tables": tables}))
        assert found.level is Level.OK

    @pytest.mark.parametrize(
        "answer",
        [Answer("x", problem="refused"), Answer("x", {"denied": "refused", "tables": {}})],
    )
    def test_tables_that_cannot_be_read_are_unknown(self, answer: Answer) -> None:
        [found] = alone("maria-01", answer)
        assert (found.level, found.message) == (Level.UNKNOWN, "could not be read: refused")

"""What PostgreSQL runs out of while everything else is well: sessions, and transaction numbers."""

from __future__ import annotations

import pytest

from keybuzz.model.core.finding import Level
from tasks.patroni.by_hand.switches import checks
from tests.unit.tasks.patroni.test_checks_patroni import Cluster
from tests.unit.tasks.patroni.test_switches_patroni import WELL, answering


def judged(host: str, room: str) -> dict[str, Level]:
    row = ["false" if host == "db_1" else "true", *WELL[1:-1], room]
    live = answering(Cluster().live(), **{host: row})
    names = ("patroni.sessions.room", "patroni.transactions.age")
    return {
        item.check.rpartition(".")[0].partition(".")[2]: item.level
        for item in checks(live)
        if item.check in names and item.host == host.replace("_", "-")
    }


@pytest.mark.parametrize(
    ("taken", "level"),
    [
        (157, Level.OK),
        (158, Level.WARN),
        (187, Level.WARN),
        (188, Level.CRITICAL),
        (200, Level.CRITICAL),
    ],
)
def test_sessions_are_told_before_none_is_left(taken: int, level: Level) -> None:
    """Of the 197 that are left when three are kept for superusers."""
    assert judged("db_2", f"{taken} 197 1000") == {"sessions": level}


@pytest.mark.parametrize(
    ("age", "level"),
    [
        (200_000_000, Level.OK),
        (1_000_000_000, Level.WARN),
        (1_600_000_000, Level.CRITICAL),
    ],
)
def test_transactions_are_told_by_the_one_that_writes(age: int, level: Level) -> None:
    assert judged("db_1", f"1 197 {age}") == {"sessions": Level.OK, "transactions": level}


@pytest.mark.parametrize("room", ["", "1 197", "1 197 many", "1 -3 5", "1 2 3 4"])
def test_what_it_does_not_say_is_unknown(room: str) -> None:
    unread = {"sessions": Level.UNKNOWN, "transactions": Level.UNKNOWN}
    assert judged("db_1", room) == unread

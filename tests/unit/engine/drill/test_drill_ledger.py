"""The arithmetic of a ledger, and the thread that fills it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.drill.ledger import Ledger, Writer
from keybuzz.model.reports.drill import longest_gap, tally
from keybuzz.site.drill import NotSentError, UnconfirmedError

NUMBERS = st.sets(st.integers(1, 200))
TIMES = st.lists(st.floats(0, 100, allow_nan=False))


@given(acknowledged=NUMBERS, unknown=NUMBERS, found=NUMBERS)
def test_lost_is_what_was_acknowledged_and_is_not_there(
    acknowledged: set[int], unknown: set[int], found: set[int]
) -> None:
    unknown -= acknowledged
    result = tally(acknowledged, unknown, found)
    assert result.acknowledged == len(acknowledged)
    assert result.acknowledged - result.lost == len(acknowledged & found)
    assert result.unknown_there == len(unknown & found) <= result.unknown


@given(acknowledged=NUMBERS, more=NUMBERS)
def test_what_is_all_there_is_never_lost(acknowledged: set[int], more: set[int]) -> None:
    assert tally(acknowledged, (), acknowledged | more).lost == 0


@given(times=TIMES, since=st.floats(0, 100), length=st.floats(0, 100))
def test_a_gap_is_as_long_as_it_can_be_and_no_write_lies_in_it(
    times: list[float], since: float, length: float
) -> None:
    until = since + length
    gap = longest_gap(times, since, until)
    inside = [time for time in times if since < time <= until]
    assert 0 <= gap <= length + 1e-9
    assert gap * (len(inside) + 1) >= length - 1e-6, "the longest is at least the mean"
    if not inside:
        assert gap == pytest.approx(length)


@given(times=TIMES, more=TIMES, since=st.floats(0, 100), length=st.floats(0, 100))
def test_more_writes_never_make_a_gap_longer(
    times: list[float], more: list[float], since: float, length: float
) -> None:
    assert longest_gap([*times, *more], since, since + length) <= longest_gap(
        times, since, since + length
    )


def test_writes_before_the_fault_and_the_wait_that_is_still_open_count_rightly() -> None:
    assert longest_gap([1, 2, 3, 10], since=3.5, until=10.5) == 6.5
    assert longest_gap([4, 5], since=3, until=20) == 15
    assert longest_gap([], since=3, until=3) == 0


def test_writes_flow_when_the_last_seconds_had_no_hole() -> None:
    flowing = Ledger({n: n / 10 for n in range(101)})
    assert flowing.unsteady(10.0) is None
    flowing.last_error = "Connection refused"
    assert flowing.unsteady(13.0) == "writes do not flow: Connection refused"


@dataclass
class ScriptedClient:
    """Acknowledges, refuses or is silent, number by number; keeps what it is told to keep."""

    answers: dict[int, type[Exception]] = field(default_factory=dict)
    keeps: set[int] = field(default_factory=set)
    there: set[int] = field(default_factory=set)
    tried: list[int] = field(default_factory=list)
    reads: int = 0
    closed: bool = False
    enough: threading.Event = field(default_factory=threading.Event)

    def prepare(self) -> None:
        self.there.clear()

    def write(self, number: int) -> None:
        self.tried.append(number)
        if number >= 5:
            self.enough.set()
        if number in self.keeps or number not in self.answers:
            self.there.add(number)
        if number in self.answers:
            raise self.answers[number]("no")

    def read(self) -> frozenset[int]:
        self.reads += 1
        if self.reads < 3:
            raise NotSentError("not yet")
        return frozenset(self.there)

    def remove(self) -> None:
        self.there.clear()

    def close(self) -> None:
        self.closed = True


def test_each_number_is_tried_once_and_stands_where_its_answer_puts_it() -> None:
    client = ScriptedClient(
        {2: NotSentError, 3: UnconfirmedError, 4: UnconfirmedError}, keeps={4}, there={99}
    )
    writer = Writer(client)
    writer.start()
    assert client.enough.wait(30)
    writer.stop()
    assert client.tried == sorted(set(client.tried))
    assert set(writer.ledger.confirmed) == set(client.tried) - {2, 3, 4}
    assert writer.ledger.unknown == {3, 4}
    result = writer.settle()
    assert (result.lost, result.unknown, result.unknown_there) == (0, 2, 1)
    assert client.reads == 3, "a reader tries again"
    writer.remove()
    assert client.closed
    assert client.there == set()


def test_a_writer_that_never_began_can_be_stopped() -> None:
    Writer(ScriptedClient()).stop()

"""Where the marks of a plot stand. Pure numbers: the page's template draws them as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

HEIGHT = 260
LEFT, RIGHT, TOP, BOTTOM = 44, 18, 20, 40
"""Room around the plot, for the axes."""
LANE, MIDDLE, TALLEST = 84, 42, 36
"""Bars that go up and down from a middle: the height of all, where the middle is, the longest bar."""
WIDE, NARROW = 960, 480
"""Widths of the same plot on a desk and on a phone: its letters are not scaled away."""
_THINNEST = 3.0
"""A bar is never so short that it is not seen."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One value of a line."""

    x: float
    y: float
    value: float
    label: str
    """What is said when the pointer is on it."""
    doubtful: bool = False
    """The value is a lower bound: not everybody could be asked."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One line of the value axis."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line over equally spaced runs."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    first: str
    last: str
    width: int

    @property
    def path(self) -> str:
        """The line, for the attribute `points`."""
        return " ".join(f"{mark.x:g},{mark.y:g}" for mark in self.marks)

    @property
    def area(self) -> str:
        """The area under the line."""
        floor_y = HEIGHT - BOTTOM
        return f"{self.marks[0].x:g},{floor_y} {self.path} {self.marks[-1].x:g},{floor_y}"


@dataclass(frozen=True, slots=True)
class Bar:
    """What came, above the middle, and what went, below it, in one run."""

    left: float
    up: float
    down: float
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars over the runs of a Line of the same width: one stands under the other."""

    bars: tuple[Bar, ...]
    thick: float
    most: str
    """The number that the longest bar stands for."""
    width: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The trials of one scenario on a common scale of seconds, in percent of its width."""

    title: str
    bar: float
    """The newest."""
    text: str
    limit: float | None
    earlier: tuple[float, ...]
    good: bool
    label: str


def line(
    values: Sequence[tuple[float, str, bool]], first: str, last: str, width: int = WIDE
) -> Line:
    """Return the line of (value, label, doubtful), oldest first; at least one."""
    ticks = nice_ticks(max((value for value, _, _ in values), default=0))
    top = ticks[-1] or 1
    height = HEIGHT - TOP - BOTTOM
    places = _places(len(values), width)

    def y(value: float) -> float:
        return round(TOP + height * (1 - value / top), 1)

    marks = (
        Mark(x, y(value), value, label, doubtful)
        for x, (value, label, doubtful) in zip(places, values, strict=True)
    )
    return Line(
        tuple(marks), tuple(Tick(y(tick), f"{tick:g}") for tick in ticks), first, last, width
    )


def bars(values: Sequence[tuple[int, int, str]], width: int = WIDE) -> Bars:
    """Return the bars of (came, went, label), oldest first; at least one. Both ways have one scale."""
    most = max(max(came, went) for came, went, _ in values)
    thick = min(12.0, round((width - LEFT - RIGHT) / len(values) * 0.6, 1))

    def long(count: int) -> float:
        return max(_THINNEST, round(TALLEST * count / most, 1)) if count else 0.0

    made = (
        Bar(round(x - thick / 2, 1), long(came), long(went), label)
        for x, (came, went, label) in zip(_places(len(values), width), values, strict=True)
    )
    return Bars(tuple(made), thick, str(most), width)


def _places(count: int, width: int) -> list[float]:
    """Return where equally spaced values stand; one alone is in the middle."""
    inner = width - LEFT - RIGHT
    if count == 1:
        return [LEFT + inner / 2]
    return [round(LEFT + inner * index / (count - 1), 1) for index in range(count)]


def nice_ticks(highest: float) -> tuple[float, ...]:
    """Return 0 and up to five round numbers, the last of which is not below the highest value."""
    if highest <= 0:
        return (0, 1)
    rough = max(highest / 4, 1)
    unit = 10 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return tuple(step * number for number in range(ceil(highest / step) + 1))


def percent(value: float, whole: float) -> float:
    """Return a share in percent, never more than all."""
    return round(min(100.0, 100 * value / whole), 2) if whole > 0 else 0.0


def longest(values: Iterable[float | None]) -> float:
    """Return the largest of those that are known; 0 without any."""
    return max((value for value in values if value is not None), default=0.0)

"""docs/states.md as data: its rows, and the verdict that each cell begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
HEAD = (
    *("id", "service", "state, and how it is made"),
    *("health", "status", "drift", "run", "restart", "drill", "recover"),
    *("way out", "tests"),
)
WORDS = {
    "status": ("told", "—"),
    "run": ("mends it", "stops", "refuses", "goes on"),
    "restart": ("refuses at once", "refuses", "goes on"),
    "drill": ("refuses", "goes on", "—"),
    "recover": ("refuses", "goes on", "—"),
}
"""How a cell of these columns begins; the page says what each means."""


@dataclass(frozen=True, slots=True)
class Row:
    """One state, and what is said of it."""

    id: str
    service: str
    made: str
    health: str
    status: str
    drift: str
    run: str
    restart: str
    drill: str
    recover: str
    way_out: str
    tests: str

    def word(self, column: str) -> str:
        """Return the verdict that a cell begins with; empty where it begins otherwise."""
        cell = str(getattr(self, column))
        return next((word for word in WORDS[column] if cell.startswith(word)), "")


def rows() -> list[Row]:
    """Return the rows in the order of the page."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert tuple(cells[0]) == HEAD
    for row in cells[2:]:
        assert len(row) == len(HEAD), row[0]
    return [Row(*row) for row in cells[2:]]

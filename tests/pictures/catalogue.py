"""Which pictures there are, and the pages of docs that show them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDER = DOCS / "pictures"
RUN = FOLDER / "run.svg"
"""A first installation of PostgreSQL in the lab; the README shows it."""
FLEETS = {
    "green": "All is well",
    "one-fault": "One fault on 40 hosts",
    "3-of-48": "3 of 48 servers answer",
    "3-of-48-lab": "A lab in which 3 of 48 servers were started",
}
VERBS = ("status", "health", "plan", "run", "drift", "history")
WIDTHS = (60, 100, 160)
PAGES = {
    "trouble": "A fleet with some trouble, and half a year of it",
    "green": "A fleet that is well",
    "one-fault": "One fault on 40 hosts",
    "3-of-48": "3 of 48 servers answer",
}
PIXELS = (390, 768, 1280)
LIGHTS = ("light", "dark")
HIGHEST = 1800
"""Pixels of a page that a picture shows, from its top."""
_NOTE = "<!-- Written by scripts/pictures. Do not edit: run it. -->"


@dataclass(frozen=True, slots=True)
class Screen:
    """What a verb prints about a fleet, in a terminal of some columns."""

    fleet: str
    verb: str
    width: int

    @property
    def path(self) -> Path:
        """The file of its picture."""
        return FOLDER / "screens" / f"{self.fleet}-{self.verb}-{self.width}.svg"


@dataclass(frozen=True, slots=True)
class Page:
    """The page of `kbz report` in a browser's window of some pixels."""

    fleet: str
    width: int
    light: str

    @property
    def path(self) -> Path:
        """The file of its picture."""
        return FOLDER / "page" / f"{self.fleet}-{self.width}-{self.light}.png"


SCREENS = tuple(Screen(f, v, w) for f in FLEETS for v in VERBS for w in WIDTHS)
SHOTS = tuple(Page(f, w, light) for f in PAGES for w in PIXELS for light in LIGHTS)


def pictures() -> tuple[Path, ...]:
    """Return the file of every picture."""
    return (RUN, *(screen.path for screen in SCREENS), *(shot.path for shot in SHOTS))


def pages() -> dict[Path, str]:
    """Return the pages of docs that show the pictures, by their file."""
    folder = DOCS / "screens"
    made = {folder / f"{fleet}.md": _screens(fleet, title) for fleet, title in FLEETS.items()}
    made[folder / "page.md"] = _shots()
    made[folder / "README.md"] = _first()
    return {path: "\n".join([_NOTE, "", *lines]) + "\n" for path, lines in made.items()}


def _first() -> Iterator[str]:
    yield "# What kbz looks like"
    yield ""
    yield "Each screen in a terminal of 60, 100 and 160 columns (tmux), and the page of `kbz report` in Chromium at"
    yield "390, 768 and 1280 pixels, light and dark. The fleets are those of the tests: `scripts/pictures` makes the"
    yield "pictures, and a test holds their words against `tests/unit/screens`."
    yield ""
    for fleet, title in FLEETS.items():
        yield f"- [{title}]({fleet}.md)"
    yield "- [The page of `kbz report`](page.md)"


def _screens(fleet: str, title: str) -> Iterator[str]:
    yield f"# {title}"
    for verb in VERBS:
        yield ""
        yield f"## kbz {verb}"
        for screen in (Screen(fleet, verb, width) for width in WIDTHS):
            yield ""
            words = f"kbz {verb}, {screen.width} columns: {title.lower()}"
            yield f"![{words}](../pictures/screens/{screen.path.name})"


def _shots() -> Iterator[str]:
    yield "# The page of kbz report"
    for fleet, title in PAGES.items():
        yield ""
        yield f"## {title}"
        for width in PIXELS:
            yield ""
            yield f"{width} pixels, light and dark:"
            yield ""
            for shot in (Page(fleet, width, light) for light in LIGHTS):
                words = f"{title}, {width} pixels, {shot.light}"
                yield f"![{words}](../pictures/page/{shot.path.name})"

"""The pictures of docs: all are there, shown, small, and of the screens as they are now."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.pictures.catalogue import (
    DOCS,
    FOLDER,
    HIGHEST,
    RUN,
    SCREENS,
    SHOTS,
    Page,
    Screen,
    pages,
    pictures,
)
from tests.pictures.terminal import picture, words
from tests.unit.screens.test_screens import FOLDER as GOLDEN

ROOT = DOCS.parent
AGAIN = "run scripts/pictures, look at what it drew, and commit it"
_SHOWN = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
LARGEST = 100_000
PLOTS = DOCS / "plots"
"""What `scripts/bench` draws: numbers of one machine, so that no test draws them again."""


def named() -> dict[Path, Path]:
    """Return each picture that a page shows, and the page."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return {
        (page.parent / name).resolve(): page
        for page in found
        for name in _SHOWN.findall(page.read_text(encoding="utf-8"))
    }


def test_each_picture_is_there_and_shown_and_no_other_is() -> None:
    made, shown = set(pictures()), set(named())
    assert {path for path in shown if path.parent != PLOTS} == made, AGAIN
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == made, AGAIN


def test_each_plot_is_there_and_shown_and_no_other_is() -> None:
    assert {path for path in named() if path.parent == PLOTS} == set(PLOTS.iterdir())


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.name))
def test_a_page_of_pictures_is_what_the_script_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], AGAIN


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen.path.stem))
def test_a_screen_s_picture_shows_what_the_verb_says_now(screen: Screen) -> None:
    """Letter by letter but for spaces: a terminal breaks the progress of a run where its width ends."""
    golden = (GOLDEN / screen.fleet / f"{screen.verb}.txt").read_text(encoding="utf-8")
    part = golden.partition(f"── {screen.verb}, {screen.width} columns ──\n")[2]
    shown = part.partition("\n── ")[0]
    assert "".join(words(screen.path.read_text(encoding="utf-8"))) == "".join(shown.split()), AGAIN


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: str(shot.path.stem))
def test_a_page_s_picture_is_as_wide_as_its_window(shot: Page) -> None:
    head = shot.path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    assert width == shot.width
    assert 600 < height <= HIGHEST


def test_no_picture_is_large_or_asks_for_anything() -> None:
    for path in pictures():
        assert path.stat().st_size < LARGEST, path
        if path.suffix == ".svg":
            text = path.read_text(encoding="utf-8").replace(
                'xmlns="http://www.w3.org/2000/svg"', ""
            )
            assert "http" not in text
            assert "url(" not in text


def test_the_readme_s_run_is_a_first_installation_that_ended_well() -> None:
    said = " ".join(words(RUN.read_text(encoding="utf-8")))
    assert said.startswith("$ kbz run patroni --limit db 0.")
    assert "checked 3 of 3 hosts" in said
    assert said.endswith("exit 0")


def test_a_picture_keeps_what_a_terminal_showed() -> None:
    drawn = picture('\x1b[31m  red\x1b[0m  <b> & "x"\n   → kbz run\n', 40)
    assert words(drawn) == ["red", "<b>", "&", '"x"', "→", "kbz", "run"]
    assert 'x="24.4"' in drawn, "what is indented is drawn where it is"

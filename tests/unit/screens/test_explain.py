"""What `kbz explain` says is as wide as the terminal, and is not folded where a program reads it."""

from __future__ import annotations

import sys

import pytest

from keybuzz.cli.look.explain import _everything, _named
from keybuzz.report.explain import explained_text, overview

WORDS = ("patroni.leader.single", "base", "EP-1", "patroni.max_connections", "3")


@pytest.mark.parametrize("width", [60, 100, 160])
@pytest.mark.parametrize("word", WORDS)
def test_it_fills_the_terminal_and_cuts_no_word(word: str, width: int) -> None:
    known = _everything()
    text = explained_text(word, _named(word, known), width)
    whole = explained_text(word, _named(word, known), sys.maxsize)
    assert all(len(line) <= width for line in text.split("\n"))
    assert text.split() == whole.split()
    if max(len(line) for line in whole.split("\n")) > width:
        assert max(len(line) for line in text.split("\n")) > width * 0.8


def test_for_a_pipe_each_part_is_one_line() -> None:
    text = explained_text("EP-1", _named("EP-1", _everything()), sys.maxsize)
    assert [line for line in text.split("\n") if line.startswith(" ")] == []


def test_all_ids_fit() -> None:
    assert all(len(line) <= 60 for line in overview(_everything(), 60).split("\n"))

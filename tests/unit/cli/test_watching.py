"""`--watch`: plain lines of what came and went, a painted screen on a terminal, an end by Ctrl-C."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keybuzz.cli.support.watching import Look, news, require_screen, watch
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode

NOW = datetime(2026, 11, 26, 18, 0, 5, tzinfo=UTC)


def watching(looks: list[Look]) -> int:
    """Watch as many times as there are looks; then Ctrl-C comes."""
    left = list(looks)

    def rest(seconds: float) -> None:
        assert seconds == 2.0
        if not left:
            raise KeyboardInterrupt

    return watch(lambda: left.pop(0), 2.0, rest)


def test_without_a_terminal_only_the_first_look_is_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = watching(
        [
            Look("all is well", frozenset({"a"}), 0),
            Look("all is well, later", frozenset({"a"}), 0),
            Look("bad", frozenset({"b"}), 2),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert code == 2
    assert lines[0] == "all is well"
    assert [line[9:] for line in lines[1:]] == ["+ b", "- a"]


def test_a_watch_that_is_ended_before_its_first_look_has_seen_nothing_good() -> None:
    def look() -> Look:
        raise KeyboardInterrupt

    assert watch(look, 2.0) == ExitCode.INTERRUPTED


def test_on_a_terminal_each_look_is_painted_over_the_one_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    code = watching([Look("first\n", frozenset(), 2), Look("second\n", frozenset({"it broke"}), 0)])
    out = capsys.readouterr().out
    assert code == 0
    assert out.count("\x1b[H") == 2
    assert "\x1b[2J" not in out, "a cleared screen flickers"
    *_, news, footer = out.split("\n")
    assert news.endswith("+ it broke\x1b[K")
    assert re.fullmatch(r"\d\d:\d\d:\d\d; next look in 2 s; Ctrl-C ends it\x1b\[J", footer)


def test_what_came_and_went() -> None:
    assert news(None, frozenset({"a"}), NOW) == []
    assert news(frozenset({"a", "b"}), frozenset({"b", "c"}), NOW) == [
        "18:00:05 + c",
        "18:00:05 - a",
    ]


def test_a_watch_is_no_document() -> None:
    require_screen("text", None)
    with pytest.raises(UsageError, match="json"):
        require_screen("json", None)
    with pytest.raises(UsageError, match="writes no file"):
        require_screen("text", Path("kbz.txt"))

"""The help of every verb is as wide as the terminal, to 160 columns, and no word of it is cut."""

from __future__ import annotations

import click
import pytest

from keybuzz.cli.main import cli
from tests.unit.support.cli_verbs import verbs

VERBS = verbs()


def shown(words: str, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    root = click.Context(cli, info_name="kbz", **cli.context_settings)
    command = VERBS[words]
    return click.Context(command, info_name=words, parent=root).get_help().splitlines()


@pytest.mark.parametrize("width", [60, 100, 160])
@pytest.mark.parametrize("words", VERBS)
def test_it_fits(words: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(words, width, monkeypatch)
    # Names of choices are one word, in brackets, and are pasted as they are; so are examples.
    long = [line for line in lines if len(line) > width and "|" not in line and "kbz " not in line]
    assert long == []


def test_a_wide_terminal_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, shown("run", 160, monkeypatch))) > 100

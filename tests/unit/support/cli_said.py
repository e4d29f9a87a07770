"""The command line in the process of the tests: a new process for each question would take minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from keybuzz.cli.main import _main


@dataclass(frozen=True)
class Said:
    """What the command line answered."""

    returncode: int
    stdout: str
    stderr: str


Kbz = Callable[..., Said]


@pytest.fixture
def kbz(capsys: pytest.CaptureFixture[str]) -> Kbz:
    """Return a function that takes the words after `kbz`."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = _main(list(words))
        shown = capsys.readouterr()
        return Said(int(code), shown.out, shown.err)

    return call

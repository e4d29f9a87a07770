"""A host that is typed and not in servers.tsv: what was meant, and the way to one whose row is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.unit.screens.test_narrow import config
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["config", "kbz"]  # the fixtures

GONE = "10.0.0.199"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvXRRtCxzwCKzJLmEUUMEOpbzLVGRNNkDzk2JPvZWGd"


@pytest.mark.parametrize(
    "words",
    [
        ("history", "--host", "redis-1"),
        ("hosts", "forget", "redis-1"),
    ],
    ids=" ".join,
)
def test_the_name_that_was_meant_is_told(config: str, kbz: Kbz, words: tuple[str, ...]) -> None:
    said = kbz("--config", config, *words)
    assert said.returncode == ExitCode.USAGE
    assert "no server is named redis-1" in said.stderr
    assert "did you mean redis-01" in said.stderr


def test_a_server_whose_row_is_gone_is_forgotten_by_its_address(config: str, kbz: Kbz) -> None:
    pinned = Path(config).parent / "known_hosts"
    pinned.write_text(f"{GONE} {KEY}\n10.0.0.120 {KEY}\n")
    by_name = kbz("--config", config, "hosts", "forget", "old-server")
    assert by_name.returncode == ExitCode.USAGE
    assert "a server whose row is gone is named by its address" in " ".join(by_name.stderr.split())
    assert kbz("--config", config, "hosts", "forget", GONE).returncode == ExitCode.REFUSED
    said = kbz("--config", config, "hosts", "forget", GONE, "--confirm", GONE)
    assert said.returncode == ExitCode.GOOD, said.stderr
    assert pinned.read_text() == f"10.0.0.120 {KEY}\n"

"""A fleet of which no host answers: one fault, and nothing is said to be good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.unit.screens.test_narrow import config
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["config", "kbz"]  # the fixtures


@pytest.fixture
def silent(config: str, kbz: Kbz) -> str:
    """A production of 48 servers behind a bastion at which nothing listens."""
    text = Path(config).read_text()
    overlay = Path(config).parent / "silent.yaml"
    lab = (Path(config).parent / "lab.yaml").read_text()
    overlay.write_text(lab[lab.index("paths:") :])
    made = Path(config).parent / "silent_config.yaml"
    text = text.replace(str(Path(config).parent / "lab.yaml"), str(overlay))
    made.write_text(text.replace("    connection:", "    bastion: 127.0.0.1:9 x\n    connection:"))
    assert kbz("--config", str(made), "secrets", "init").returncode == ExitCode.GOOD
    return str(made)


def test_one_cause_is_told_and_every_check_of_a_cluster_follows_from_it(
    silent: str, kbz: Kbz
) -> None:
    said = kbz("--config", silent, "health", "--json")
    assert said.returncode == ExitCode.UNREACHABLE
    found = json.loads(said.stdout)["findings"]
    assert {item["check"].partition(".")[0] for item in found} >= {"patroni", "k3s", "rabbitmq"}
    assert {item["check"] for item in found if not item["cause"]} == {"base.reachable"}
    assert [item["check"] for item in found if item["level"] == "ok"] == []


def test_the_screen_is_short(silent: str, kbz: Kbz) -> None:
    lines = kbz("--config", silent, "health").stdout.splitlines()
    assert sum(line.endswith(": no member answers") for line in lines) == 10
    assert [line for line in lines if line.startswith(("ok", "critical", "warn"))] == []
    assert len(lines) < 40

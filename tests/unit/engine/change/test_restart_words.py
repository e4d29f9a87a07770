"""What follows `kbz restart`: a module or a host, never a guess, and the exit code that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.roll.restart import RestartRequest
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StepError
from keybuzz.model.reports.report import Report
from tests.unit.support.site_values import planted_configuration

USAGE = 64


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RestartRequest]:
    """A site of its own, on which nothing is ever restarted: what was asked for is kept."""
    requests: list[RestartRequest] = []
    planted_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)

    def keep(workspace: Workspace, request: RestartRequest) -> Report:
        requests.append(request)
        raise StepError("broken on purpose")

    monkeypatch.setattr("keybuzz.engine.roll.restart.restart", keep)
    return requests


def test_neither_a_module_nor_a_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main._main(["restart", "patrony"]) == USAGE
    said = capsys.readouterr().err
    assert "patrony is neither a module nor a host" in said
    assert "did you mean patroni" in said


def test_both_a_module_and_a_host(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = next(module for module in all_modules() if module.name == "redis")
    both = (*all_modules(), replace(redis, name="redis-01"))
    monkeypatch.setattr("keybuzz.engine.roll.restart_words.all_modules", lambda: both)
    assert main._main(["restart", "redis-01"]) == USAGE
    said = capsys.readouterr().err
    assert "redis-01 names a module and a host" in said
    assert "--reboot --limit redis-01 means the host" in said


def test_a_host_takes_no_limit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main._main(["restart", "redis-01", "--limit", "redis"]) == USAGE
    assert "--limit belongs to a module" in capsys.readouterr().err


def test_a_module_without_containers_says_how_to_reboot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main._main(["restart", "base", "--limit", "redis"]) == USAGE
    said = capsys.readouterr().err
    assert "module base has no containers" in said
    assert "kbz restart base --reboot" in said


@pytest.mark.parametrize(
    ("words", "module", "hosts"),
    [
        (["galera"], "galera", ["maria-01", "maria-02", "maria-03"]),
        (["redis", "--limit", "redis-02"], "redis", ["redis-02"]),
        (["redis", "--reboot"], "reboot", ["redis-01", "redis-02", "redis-03"]),
        (["queue-02"], "reboot", ["queue-02"]),
    ],
)
def test_what_is_meant(
    asked: list[RestartRequest], words: list[str], module: str, hosts: list[str]
) -> None:
    assert main._main(["restart", *words]) != USAGE
    assert [(request.module.name, sorted(request.selected)) for request in asked] == [
        (module, hosts)
    ]

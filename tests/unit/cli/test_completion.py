"""What a shell is offered, and that it is quick and never a complaint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from keybuzz.cli.main import cli
from keybuzz.engine.catalogue import all_modules
from tests.unit.cli.test_start import HEAVY
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz"]  # the fixture

ROOT = Path(__file__).parents[3]


def offered(*line: str) -> list[str]:
    """Return what is offered for the last word of a line."""
    shell = ShellComplete(cli, {}, "kbz", "_KBZ_COMPLETE")
    return [item.value for item in shell.get_completions(list(line[:-1]), line[-1])]


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_hosts_groups_aliases_sets_and_columns_are_offered_for_limit() -> None:
    words = offered("health", "--limit", "")
    for word in ("db-master-01", "redis", "db", "@failed", "@drifted", "role=", "k8s-worker-05"):
        assert word in words
    assert "patroni" in offered("run", "redis", "--limit", "pat")


@pytest.mark.parametrize("head", ["db,", "!", "db,!", "redis-01,redis-02,"])
def test_the_term_after_a_comma_or_an_exclusion_is_completed(head: str) -> None:
    assert offered("drift", "--limit", f"{head}maria-0") == [f"{head}maria-0{n}" for n in (1, 2, 3)]


def test_modules_are_offered_by_their_names() -> None:
    assert set(offered("run", "")) == {module.name for module in all_modules()} | {"all"}
    assert offered("plan", "base", "postgres-") == ["postgres-proxy"]
    assert "haproxy-01" in offered("restart", "ha")


def test_hosts_are_offered_where_one_is_named() -> None:
    assert offered("hosts", "trust", "redis-0") == ["redis-01", "redis-02", "redis-03"]
    assert offered("lab", "fault", "stop", "maria-03") == ["maria-03"]


def test_ids_are_offered_to_explain() -> None:
    assert offered("explain", "patroni.leader") == ["patroni.leader.single"]
    assert offered("explain", "FRZ") == ["FRZ-1"]
    assert offered("explain", "13") == ["130"]


def test_verbs_and_their_options_are_offered() -> None:
    assert offered("he") == ["health", "help"]
    assert offered("health", "--out") == ["--output"]
    assert offered("health", "--format", "j") == ["json", "junit"]


def test_what_is_offered_for_a_drill_and_a_lift_is_what_exists() -> None:
    drills = offered("drill", "")
    assert "" not in drills
    assert len(drills) == len(set(drills))
    lifted = offered("run", "patroni", "--lift-freeze", "")
    assert set(lifted) == {module.name for module in all_modules()}


@pytest.mark.parametrize("text", [None, "{", "inventory: []", "\0"])
def test_a_site_that_can_not_be_read_offers_nothing_and_says_nothing(
    tmp_path: Path, text: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "nornir_config.yaml"
    if text is not None:
        config.write_text(text)
    assert offered("--config", str(config), "health", "--limit", "d") == []
    assert offered("--config", str(config), "run", "patr") == ["patroni"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(kbz: Kbz, shell: str) -> None:
    done = kbz("completion", shell)
    assert done.returncode == 0
    assert f"_KBZ_COMPLETE={shell}_complete" in done.stdout


def test_bash_itself_completes_a_line(kbz: Kbz, tmp_path: Path) -> None:
    """The printed script in a real bash, with a `kbz` on its path."""
    program = tmp_path / "kbz"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m keybuzz.cli.main "$@"\n')
    program.chmod(0o755)
    script = kbz("completion", "bash").stdout
    script += "\nCOMP_LINE='kbz health --limit db,redis-0'; COMP_POINT=${#COMP_LINE}\n_kbz_completion kbz\n"
    script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | path,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["db,redis-01", "db,redis-02", "db,redis-03"]
    assert done.stderr == ""


def test_an_offer_loads_nothing_heavy() -> None:
    code = (
        "import sys; from click.shell_completion import ShellComplete as S; from keybuzz.cli.main import cli\n"
        "s = S(cli, {}, 'kbz', '_KBZ_COMPLETE')\n"
        "assert s.get_completions(['health', '--limit'], 'db')\n"
        "assert s.get_completions(['run'], 'p')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("tasks.")}

"""The command line as people expect it: groups of verbs, habits of other tools, right suggestions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from keybuzz.cli.main import VERBS
from keybuzz.cli.support import place
from keybuzz.cli.support.groups import SECTIONS
from keybuzz.cli.support.modules import named
from keybuzz.model.core.errors import NothingToDoError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.limit import parse_limit
from tests.unit.cli.test_completion import offered
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.inventory_files import real_catalogue, real_servers

__all__ = ["kbz"]  # the fixture

ROOT = Path(__file__).parents[3]
CONFIG = str(ROOT / "nornir_config.yaml")


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_verb_is_in_one_section_with_two_examples(kbz: Kbz) -> None:
    listed = [verb for section in SECTIONS for verb in section.verbs]
    assert sorted(listed) == sorted(VERBS)
    said = kbz("--help").stdout
    for section in SECTIONS:
        assert len(section.examples) == 2
        assert section.title in said
        for example in section.examples:
            assert f"$ {example}" in said
            assert kbz(example.split()[1], "--help").returncode == 0


@pytest.mark.parametrize("words", [("run",), ("drift", "install"), ("lab", "fault", "stop")])
def test_help_of_a_verb_is_the_same_either_way(kbz: Kbz, words: tuple[str, ...]) -> None:
    assert kbz("help", *words).stdout.split() == kbz(*words, "--help").stdout.split()


def test_help_of_what_is_no_verb_says_what_is_near(kbz: Kbz) -> None:
    said = kbz("help", "helth")
    assert said.returncode == ExitCode.USAGE
    assert "health" in said.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_has_a_revision(kbz: Kbz, option: str) -> None:
    assert re.fullmatch(r"kbz \d+\.\d+\.\d+ \(revision \S+\)\n", kbz(option).stdout)


@pytest.mark.parametrize("verb", ["run", "restart", "recover", "drill", "resume"])
def test_dry_run_is_answered_by_the_plan(
    kbz: Kbz, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [verb, "--dry-run"] if verb == "resume" else [verb, "patroni", "--dry-run"]
    monkeypatch.setattr(sys, "argv", ["kbz", *words])
    said = kbz(*words)
    assert said.returncode == ExitCode.USAGE
    assert "→ kbz plan" in said.stderr


def test_yes_types_no_name(kbz: Kbz) -> None:
    said = kbz("secrets", "rotate", "postgres-app", "--yes")
    assert said.returncode == ExitCode.USAGE
    assert "--confirm NAME" in said.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("mariadb",), ("galera",)),
        (("db",), ("patroni",)),
        (("queue", "redis"), ("rabbitmq", "redis")),
        (("all",), ("all",)),
    ],
)
def test_a_group_means_its_modules(typed: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert set(meant) <= set(named(typed, CONFIG))


@pytest.mark.parametrize("word", ["patrony", "postgresq"])
def test_what_is_no_module_is_told_what_was_meant(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        named((word,), CONFIG)
    assert "did you mean patroni" in caught.value.hint


@pytest.mark.parametrize(
    "words",
    [
        ("run", "patroni", "--wait", "-1"),
        ("run", "patroni", "--timeout", "0"),
        ("run", "patroni", "--timeout", "nan"),
        ("run", "patroni", "--wait", "inf"),
        ("status", "--watch", "--every", "-5"),
        ("history", "--last", "0"),
        ("history", "show", "-1"),
        ("report", "--last", "-3"),
        ("drift", "look", "--jitter", "-1"),
    ],
)
def test_senseless_numbers_are_refused(kbz: Kbz, words: tuple[str, ...]) -> None:
    assert kbz(*words).returncode == ExitCode.USAGE


def test_a_set_that_is_empty_is_nothing_to_do() -> None:
    sets = {"drifted": frozenset[str]()}
    with pytest.raises(NothingToDoError) as caught:
        parse_limit("@drifted", real_servers(), real_catalogue(), sets)
    assert caught.value.code is ExitCode.GOOD
    assert "nothing to do" in caught.value.what


def test_json_is_short_for_format_json(kbz: Kbz) -> None:
    assert kbz("explain", "3", "--json").stdout == kbz("explain", "3", "--format", "json").stdout
    assert kbz("explain", "3", "--json", "--format", "text").returncode == ExitCode.USAGE


def test_v_and_q_stand_before_or_behind_the_verb_and_exclude_each_other(kbz: Kbz) -> None:
    assert kbz("-v", "explain", "3").returncode == 0
    assert kbz("explain", "3", "-q").returncode == 0
    assert kbz("-v", "explain", "3", "-q").returncode == ExitCode.USAGE


def test_where_the_site_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "etc" / "nornir_config.yaml"
    monkeypatch.setattr(place, "SYSTEM", system)
    monkeypatch.delenv(place.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert place.configuration(None) == place.NAME
    system.parent.mkdir()
    system.write_text("")
    assert place.configuration(None) == str(system)
    (tmp_path / place.NAME).write_text("")
    assert place.configuration(None) == place.NAME
    monkeypatch.setenv(place.VARIABLE, "/x/y.yaml")
    assert place.configuration(None) == "/x/y.yaml"
    assert place.configuration("given.yaml") == "given.yaml"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (("secrets", "rotate", "postgres"), "postgres-app"),
        (("run", "redis", "--lift-freeze", "red"), "redis"),
        (("drift", "ins"), "install"),
        (("history", "ver"), "verify"),
        (("versions", "verify", "pat"), "patroni"),
        (("policy", "explain", "EP"), "EP-1"),
        (("health", "--limit", "role=d"), "role=db"),
        (("recover", "gal"), "galera"),
        (("drill", "hap"), "haproxy"),
        (("help", "pl"), "plan"),
        (("help", "drift", "ins"), "install"),
    ],
)
def test_every_argument_is_completed(line: tuple[str, ...], word: str) -> None:
    assert word in offered(*line)


def test_recover_and_drill_are_offered_only_what_there_is() -> None:
    assert "base" not in offered("recover", "")
    assert "base" not in offered("drill", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_real_shell_completes(shell: str) -> None:
    """Each shell asks kbz by its own protocol, with the variables that its script sets."""
    environment = {
        "bash": {"COMP_WORDS": "kbz drift ins", "COMP_CWORD": "2"},
        "zsh": {"COMP_WORDS": "kbz drift ins", "COMP_CWORD": "2"},
        "fish": {"COMP_WORDS": "kbz drift ins", "COMP_CWORD": "ins"},
    }[shell]
    done = subprocess.run(
        [sys.executable, "-m", "keybuzz.cli.main"],
        env={"_KBZ_COMPLETE": f"{shell}_complete", "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert "install" in done.stdout + done.stderr

"""What a verb says in a narrow terminal: no word is cut, a command stays whole, and a screen of nothing is one too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from keybuzz.report.screen.fit import advice, fit
from keybuzz.report.text.history import folded_text, runs_text
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz"]  # the fixture

ROOT = Path(__file__).parents[3]
SAID = (
    ("inventory",),
    ("inventory", "--tree"),
    ("history",),
    ("history", "--verb", "drill"),
    ("lb", "show"),
    ("versions", "check"),
    ("secrets", "check"),
    ("secrets", "rotations"),
    ("apps", "list"),
    ("explain",),
    ("explain", "patroni.leader.single"),
    ("policy", "explain", "EP-1"),
    ("drift", "status"),
    ("health", "status"),
    ("hosts", "list"),
    ("lab", "images"),
    ("lab", "status"),
    ("health", "nosuch"),
    ("inventory", "--limit", "nosuch"),
    ("secrets", "rotate", "mariadb-root"),
    ("secrets", "rotate", "nosuch"),
    ("run", "patroni", "--dry-run"),
)
"""Verbs that ask no host, and refusals."""
_TYPED = re.compile(r"\bkbz |(?:^|\s)--?[a-z]")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A site of the repository's inventory, as a lab that never was up, with credentials and without a run."""
    folder = tmp_path_factory.mktemp("narrow")
    lab = folder / "lab.yaml"
    lab.write_text(
        f"lab:\n  name: kbz-narrow\n  root: {folder}/lab\n  cache: {folder}/cache\n"
        f"paths:\n  state: {folder}/state\n  credentials: {folder}/credentials\n"
        f"  builder_socket: {folder}/none.sock\n  known_hosts: {folder}/known_hosts\n"
    )
    text = (ROOT / "nornir_config.yaml").read_text()
    text = text.replace("inventory/lab.yaml", str(lab)).replace(
        ": inventory/", f": {ROOT}/inventory/"
    )
    made = folder / "nornir_config.yaml"
    made.write_text(text)
    return str(made)


@pytest.mark.parametrize("words", SAID, ids=" ".join)
@pytest.mark.parametrize("width", [60, 100])
def test_each_line_fits(
    config: str, kbz: Kbz, monkeypatch: pytest.MonkeyPatch, width: int, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    said = kbz("--config", config, *words)
    assert "fault of its own" not in said.stderr
    lines = [line for text in (said.stdout, said.stderr) for line in text.splitlines()]
    assert lines
    long = [line for line in lines if len(line) > width and " " in line.strip()]
    assert [line for line in long if not _TYPED.search(line)] == []


@pytest.mark.parametrize("words", [("lab", "diff"), ("policy", "rules")])
def test_a_file_is_not_broken(
    config: str, kbz: Kbz, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    wide = kbz("--config", config, *words)
    monkeypatch.setenv("COLUMNS", "60")
    narrow = kbz("--config", config, *words)
    assert narrow.returncode == wide.returncode == ExitCode.GOOD
    assert narrow.stdout == wide.stdout
    assert max(map(len, narrow.stdout.splitlines())) > 60


@pytest.mark.parametrize("width", [40, 60, 100, 160])
def test_no_runs_at_all_is_a_screen_too(width: int) -> None:
    assert runs_text([], width) == folded_text([], 20, width) == "no runs"


def test_advice_is_broken_between_clauses_and_a_command_never() -> None:
    command = "kbz exec --limit db-master-01,db-slave-01,db-slave-02 -- sh -c 'df -h; df -i'"
    assert advice(f"  → {command}  (the first of 40)", 40) == [
        f"  → {command}",
        "    (the first of 40)",
    ]
    assert advice(
        "  → kbz run patroni starts stopped members together; it never deletes data", 40
    ) == [
        "  → kbz run patroni starts stopped members together;",
        "    it never deletes data",
    ]
    assert advice(
        "  → the owner decides it, with whoever is on call and has read the page", 40
    ) == [
        "  → the owner decides it,",
        "    with whoever is on call and has read",
        "    the page",
    ]


def test_a_sentence_keeps_its_proposed_command_whole() -> None:
    found = fit(
        "warning: its upstream is gone since that day → kbz versions mirror --from HOST minio", 40
    )
    assert found.split("\n") == [
        "warning: its upstream is gone since that",
        "  day",
        "  → kbz versions mirror --from HOST minio",
    ]
    assert fit("  5432 → 5432   check: TCP, interval 2 s, timeout 2 s", 40).startswith(
        "  5432 → 5432"
    )

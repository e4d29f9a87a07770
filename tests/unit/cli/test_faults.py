"""Errors that nobody has put into words still reach the user as a sentence, with an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.load import load_site
from tests.unit.support.site_values import PLANTED, planted_configuration

ROOT = Path(__file__).parents[3]
CODE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from keybuzz.cli.main import main; main()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_site(planted_configuration(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run kbz, which fails; return what it said."""
    assert main._main(list(words)) == ExitCode.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def refuse_to_ask(*_: object) -> None:
    raise AssertionError("a host was asked")


def test_a_folder_of_out_that_is_missing_is_known_before_any_host_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keybuzz.engine.verbs.planned", refuse_to_ask)
    for place in (folder / "missing", Path("/proc")):
        said = failed(capsys, "plan", "patroni", "--out", str(place / "x"))
        assert said.startswith(f"kbz: {place}: no plan can be written there: ")


def test_a_file_that_can_not_be_written_is_named_with_the_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failed(capsys, "render", "patroni", "--out", str(folder / "overlay.yaml" / "x"))
    assert said.startswith(f"kbz: {folder / 'overlay.yaml'}/")
    assert "Not a directory" in said


def test_a_damaged_journal_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = folder / "state" / "journal.sqlite"
    journal.write_text("this is no database, and long enough to be seen as none\n" * 100)
    said = failed(capsys, "history")
    assert said.startswith(f"kbz: {journal}: the journal cannot be used: ")


def test_a_full_disk_behind_stdout_is_a_sentence(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", CODE, "inventory"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == ExitCode.FAILED
    assert (
        done.stderr == "kbz: the answer could not be written to stdout: No space left on device\n"
    )


def test_a_fault_of_kbz_is_one_sentence_and_its_traceback_a_masked_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"{PLANTED}-REDIS_PASSWORD-1234"
    assert secret in (folder / "credentials" / "redis.env").read_text()

    def broken(*_: object) -> None:
        raise ZeroDivisionError(f"no\nmore of {secret}")

    monkeypatch.setattr("keybuzz.cli.site.inventory.parse_limit", broken)
    said = failed(capsys, "inventory")
    assert said.count("\n") == 1
    assert said.startswith("kbz: kbz found a fault of its own: ZeroDivisionError: no more of ")
    assert "(keybuzz/cli/site/inventory.py:" in said
    assert "please report it with the command" in said
    (kept,) = (folder / "state").glob("fault-*.txt")
    assert str(kept) in said
    assert kept.stat().st_mode & 0o777 == 0o600
    text = kept.read_text()
    assert "Traceback (most recent call last)" in text
    assert PLANTED not in said + text


def test_a_fault_without_a_site_has_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("keybuzz.site.load.read_configuration", broken)
    said = failed(capsys, "history")
    assert "ZeroDivisionError" in said
    assert "details" not in said
    assert list(tmp_path.iterdir()) == []


WITHOUT_POWER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root, whom the modes of files bind like everybody else."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up capabilities")
def test_who_may_not_read_the_store_may_still_list_the_servers(folder: Path) -> None:
    (folder / "credentials").chmod(0)
    (folder / "state").chmod(0o500)
    said = {}
    for verb in ("inventory", "history", "plan"):
        done = subprocess.run(
            [*WITHOUT_POWER, sys.executable, "-c", CODE, verb],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said[verb] = (done.returncode, done.stderr)
    assert said["inventory"] == (0, "")
    for verb, place in (("history", "journal.sqlite"), ("plan", "credentials")):
        code, text = said[verb]
        assert code == ExitCode.FAILED
        assert place in text
        assert "Traceback" not in text

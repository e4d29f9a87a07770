"""`--format` and `--output` of the verbs that look: through the command, over a site whose hosts are away."""

from __future__ import annotations

import json
import os
import termios
import threading
from pathlib import Path

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families

from keybuzz.cli.support.common import OUTPUT, UNBROKEN, columns
from keybuzz.cli.support.output import write_whole
from keybuzz.model.core.errors import InputError
from tests.unit.cli.test_every_verb import Place, place
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz", "place"]  # the fixtures


@pytest.fixture
def look(place: Place, kbz: Kbz) -> Kbz:
    """Look at one host behind a bastion that is not there."""
    config = str(place.folder / "site.config")
    return lambda *words: kbz("--config", config, *words, "redis", "--limit", "redis-01")


@pytest.mark.parametrize("verb", ["health", "drift", "plan"])
def test_each_form_of_each_verb_is_one_document_on_stdout(look: Kbz, verb: str) -> None:
    assert json.loads(look(verb, "--format", "json").stdout)["verb"] == verb
    assert look(verb, "--format", "junit").stdout.startswith("<?xml")
    done = look(verb, "--format", "prometheus")
    assert (done.returncode, done.stderr) == (4, "")
    families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    assert families["kbz_hosts_answered"].samples[0].value == 0
    done = look(verb, "--format", "nagios")
    # That nobody is the master of Redis is critical, whoever could not be asked.
    word, code = ("CRITICAL", 2) if verb == "health" else ("UNKNOWN", 3)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(f"KBZ {word} - {verb}: 0 of 1 hosts answered")
    assert done.stdout.count("\n") == 1


def test_a_file_takes_the_place_of_stdout(look: Kbz, tmp_path: Path) -> None:
    target = tmp_path / "kbz.prom"
    done = look("health", "--format", "prometheus", "--output", str(target))
    assert (done.stdout, done.stderr) == ("", "")
    assert "kbz_last_run_timestamp_seconds" in target.read_text()
    assert target.stat().st_mode & 0o7777 == 0o644
    assert list(tmp_path.iterdir()) == [target]
    text = look("health", "--output", str(tmp_path / "kbz.txt"))
    assert text.stdout == ""
    assert "checked 0 of 1 hosts" in (tmp_path / "kbz.txt").read_text()


def test_a_folder_that_is_not_there_is_told_before_a_host_is_asked(
    look: Kbz, tmp_path: Path
) -> None:
    done = look("health", "--output", str(tmp_path / "none" / "kbz.prom"))
    assert done.returncode == 1
    assert "nothing can be written there: No such file or directory" in done.stderr
    assert "checked" not in done.stderr


@pytest.fixture
def broken(kbz: Kbz) -> Kbz:
    """Ask with a configuration that names no file of this machine."""
    return lambda form, *more: kbz("--config", "none.config", "health", "--format", form, *more)


def test_an_error_is_no_verdict_for_nagios(broken: Kbz) -> None:
    done = broken("nagios")
    assert done.returncode == 3
    assert done.stdout.startswith("KBZ UNKNOWN - health: ")
    assert "there is no such file → run kbz in the folder" in done.stdout


def test_a_verb_that_may_be_left_out_is_not_in_its_name(kbz: Kbz) -> None:
    """`kbz drift` is `kbz drift look`: monitoring knows it by one name, whatever was typed and however it ended."""
    for words in (("drift",), ("drift", "look")):
        done = kbz("--config", "none.config", *words, "--format", "nagios")
        assert done.stdout.startswith("KBZ UNKNOWN - drift: ")


def test_an_error_is_told_to_prometheus_too(broken: Kbz, tmp_path: Path) -> None:
    target = tmp_path / "kbz.prom"
    target.write_text('kbz_check_level{check="old"} 0\n')
    done = broken("prometheus", "--output", str(target))
    assert done.returncode == 1
    assert "there is no such file" in done.stderr
    assert 'kbz_last_run_success{verb="health"} 0' in target.read_text()
    assert "old" not in target.read_text()


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_half(tmp_path: Path) -> None:
    target = tmp_path / "kbz.prom"
    pages = [f"{number}\n" * 20_000 for number in (1, 2)]
    write_whole(target, pages[0])
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write_whole(target, pages[number % 2])
    done.set()
    reader.join()
    assert seen
    assert seen <= set(pages)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "kbz.prom"
    target.mkdir()
    with pytest.raises(InputError, match="nothing can be written there"):
        write_whole(target, "new")
    assert list(tmp_path.iterdir()) == [target]


def longest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_a_line_is_broken_for_a_screen_and_never_in_a_pipe_or_a_file(
    look: Kbz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    piped = look("health").stdout
    assert longest(piped) > 100
    target = tmp_path / "kbz.txt"
    look("health", "--output", str(target))
    assert longest(target.read_text()) == longest(piped)
    monkeypatch.setenv("COLUMNS", "80")
    asked = look("health").stdout
    assert longest(asked) <= 80
    assert len(asked.splitlines()) > len(piped.splitlines())


def test_a_terminal_has_its_own_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as screen:
        termios.tcsetwinsize(theirs, (24, 132))
        monkeypatch.setattr("sys.stdout", screen)
        monkeypatch.setattr("sys.__stdout__", screen)
        with click.Context(click.Command("health")) as context:
            assert columns() == 132
            context.meta[OUTPUT] = Path("kbz.txt")
            assert columns() == UNBROKEN

"""What a command loads before it has anything to do: help, and a refusal, must not wait for netmiko."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keybuzz.cli.main import VERBS, cli
from keybuzz.engine.catalogue import choose
from keybuzz.engine.change.saved_plan import load
from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.model.core.outcome import ExitCode
from tests.unit.support.site_values import configuration_text

HEAVY = {"netmiko", "nornir", "nornir_jinja2", "nornir_netmiko", "paramiko", "jinja2", "rich"}
ROOT = Path(__file__).parents[3]


def kbz(folder: Path, *arguments: str) -> tuple[int, str, str, set[str]]:
    """Run kbz in a folder; return exit code, both streams, and the packages that it has imported."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from keybuzz.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.splitlines()
    times = [line for line in lines if line.startswith("import time:")]
    said = "\n".join(line for line in lines if not line.startswith("import time:"))
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in times}
    assert "keybuzz" in loaded
    return done.returncode, done.stdout, said, loaded


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code, out, said, loaded = kbz(tmp_path, "--help")
    assert code == ExitCode.GOOD
    assert said == ""
    for verb in VERBS:
        assert verb in out
    assert not loaded & HEAVY


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_loads_nothing_heavy(tmp_path: Path, verb: str) -> None:
    code, out, said, loaded = kbz(tmp_path, verb, "--help")
    assert (code, said) == (ExitCode.GOOD, "")
    assert f"Usage: kbz {verb}" in out
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("dance",), ExitCode.USAGE, "there is no verb dance"),
        (("plan", "--colour"), ExitCode.USAGE, "No such option"),
        (("run", "--wait", "soon"), ExitCode.USAGE, "'soon' is not a valid number of seconds"),
        (("plan", "patrony"), ExitCode.USAGE, "did you mean patroni?"),
        (("inventory",), ExitCode.FAILED, "there is no such file"),
        (("plan", "--format", "xml"), ExitCode.USAGE, "'xml' is not one of"),
    ],
)
def test_a_refused_command_loads_nothing_heavy(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended, out, said, loaded = kbz(tmp_path, *arguments)
    assert ended == code
    assert out == ""
    assert words in said
    assert "Traceback" not in said
    assert not loaded & HEAVY


def test_a_wrong_word_of_limit_is_refused_before_anything_heavy(tmp_path: Path) -> None:
    (tmp_path / "overlay.yaml").write_text(
        f"paths: {{state: {tmp_path}, credentials: {tmp_path}}}\n"
    )
    (tmp_path / "nornir_config.yaml").write_text(configuration_text(tmp_path))
    code, out, said, loaded = kbz(tmp_path, "inventory", "--limit", "db-master-1")
    assert code == ExitCode.USAGE
    assert out == ""
    assert "did you mean db-master-01" in said
    assert not loaded & HEAVY


def test_an_unknown_verb_is_refused_with_the_one_that_is_near() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keybuzz.cli.main", "pln"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    assert "there is no verb pln\n  → did you mean plan?" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inventory",), ExitCode.GOOD),
        (("explain",), ExitCode.GOOD),
        (("history", "--nope"), ExitCode.USAGE),
        (("plan", "dragon"), ExitCode.USAGE),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_nobody_reads_any_more_and_it_ends_quietly(
    words: tuple[str, ...], code: ExitCode, both: bool
) -> None:
    """As with `| head`, and with `2>&1 | head`: no traceback, and the exit code is that of the work."""
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, "-m", "keybuzz.cli.main", *words]
    with subprocess.Popen(
        argv, stdout=writing, stderr=writing if both else subprocess.PIPE, text=True
    ) as done:
        os.close(writing)
        said = "" if done.stderr is None else done.stderr.read()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert done.returncode == code


def test_a_word_of_limit_in_the_place_of_a_module_is_told_where_it_belongs() -> None:
    with pytest.raises(UsageError) as told:
        choose(["db"])
    assert "hosts and groups are chosen with --limit, such as --limit db" in str(told.value)


def test_a_plan_that_is_not_there_is_told_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"kbz plan MODULE --out FILE wrote"):
        load(tmp_path / "none")


def test_no_sentence_of_help_is_cut() -> None:
    context = click.Context(cli)
    waiting = [c for name in VERBS if isinstance(c := cli.get_command(context, name), click.Group)]
    assert waiting
    while waiting:
        group = waiting.pop()
        shown = " ".join(group.get_help(click.Context(group)).split())
        for command in group.commands.values():
            sentence = " ".join((command.help or "").split("\n\n")[0].split()).partition(". ")[0]
            assert sentence.rstrip(".") in shown
            waiting += [command] if isinstance(command, click.Group) else []

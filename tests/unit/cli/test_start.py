"""What a command loads before it has anything to do: help, and a refusal, must not wait for netmiko."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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


_LIGHT = """\
import json, os, sys
sys.path.insert(0, ROOT)
from keybuzz.cli.main import main
print(json.dumps(sorted(sys.modules)), flush=True)
for line in sys.stdin:
    folder, outputs, words = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        for descriptor, path in enumerate(outputs[:2], 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv = ["kbz", *words]
        try:
            main()
        finally:
            with open(outputs[2], "w") as file:
                json.dump(sorted(sys.modules), file)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks for each line, before it has loaded more than the start of kbz does: what a command loads is its own."""


@pytest.fixture(scope="module")
def light() -> Iterator[subprocess.Popen[str]]:
    code = f"ROOT = {str(ROOT)!r}\n{_LIGHT}"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as made:
        assert made.stdin is not None
        assert made.stdout is not None
        assert not packages(json.loads(made.stdout.readline())) & HEAVY
        yield made
        made.stdin.close()


@dataclass(frozen=True, slots=True)
class Started:
    """kbz in a folder of its own, in processes that have loaded nothing for another one."""

    light: subprocess.Popen[str]
    folder: Path

    def __call__(self, *arguments: str) -> tuple[int, str, str, set[str]]:
        """Run kbz; return exit code, both streams, and the packages that it has imported."""
        assert self.light.stdin is not None
        assert self.light.stdout is not None
        outputs = [self.folder / name for name in ("stdout", "stderr", "modules")]
        for path in outputs:
            path.touch()
        told = [str(self.folder), [str(path) for path in outputs], arguments]
        print(json.dumps(told), file=self.light.stdin, flush=True)
        assert select.select([self.light.stdout], [], [], 60)[0], "it has not ended"
        code = int(self.light.stdout.readline())
        out, said, modules = (path.read_text() for path in outputs)
        loaded = packages(json.loads(modules))
        assert "keybuzz" in loaded
        return code, out, said, loaded


@pytest.fixture
def kbz(light: subprocess.Popen[str], tmp_path: Path) -> Started:
    return Started(light, tmp_path)


def packages(modules: list[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_a_start_from_the_command_line_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from keybuzz.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "run", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, {line.partition(":")[0] for line in lines}) == (0, {"import time"})
    loaded = packages([line.rpartition("|")[2].strip() for line in lines])
    assert "keybuzz" in loaded
    assert not loaded & HEAVY


def test_help_loads_nothing_heavy(kbz: Started) -> None:
    code, out, said, loaded = kbz("--help")
    assert code == ExitCode.GOOD
    assert said == ""
    for verb in VERBS:
        assert verb in out
    assert not loaded & HEAVY


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_loads_nothing_heavy(kbz: Started, verb: str) -> None:
    code, out, said, loaded = kbz(verb, "--help")
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
    kbz: Started, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended, out, said, loaded = kbz(*arguments)
    assert ended == code
    assert out == ""
    assert words in said
    assert "Traceback" not in said
    assert not loaded & HEAVY


def test_a_wrong_word_of_limit_is_refused_before_anything_heavy(
    kbz: Started, tmp_path: Path
) -> None:
    (tmp_path / "overlay.yaml").write_text(
        f"paths: {{state: {tmp_path}, credentials: {tmp_path}}}\n"
    )
    (tmp_path / "nornir_config.yaml").write_text(configuration_text(tmp_path))
    code, out, said, loaded = kbz("inventory", "--limit", "db-master-1")
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

"""Every command that a check or a refusal proposes can be typed where it says: its program is there, its verb is real.

Found in the code, so that a new hint is held too. What `kbz exec` runs on a host is a program of Debian's base, of
Docker, or of K3s; what an operator types on install-01 is kbz or mc. `kubectl` and `redis-cli` are on no host by
themselves, and were proposed all the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.test_docs_commands import verb_of

ROOT = Path(__file__).parents[3]
ON_HOSTS = {
    **dict.fromkeys(
        ("df", "dmesg", "umount", "mount", "top", "ss", "true", "shred", "ls", "grep", "sed"),
        "Debian's base",
    ),
    **dict.fromkeys(("systemctl", "journalctl", "hostnamectl", "timedatectl"), "systemd"),
    "apt-get": "apt",
    "docker": "Docker's command line; base installs it",
    "k3s": "the one program of module k3s, which is its kubectl too",
}
ON_THE_CONTROLLER = {"kbz", "mc"}
BASE = {*ON_HOSTS, "chmod", "chown", "rm"}
"""What kbz itself, outside of its modules, may propose: on the machine that it names."""
SAID_THERE = {
    ("tasks/k3s/steps.py", "systemctl"): "the sentence says on which host",
    ("tasks/redis/master/truth.py", "docker"): "the sentence says on which hosts",
    ("tasks/galera/rollout.py", "docker"): "the error names the host",
    ("tasks/galera/checks.py", "docker"): "the finding names the host",
}
"""Proposed without `kbz exec`, though they are typed on a host, and why that is clear."""
Proposal = tuple[str, int, str, tuple[str, ...]]


def proposals() -> Iterator[Proposal]:
    """Yield file, line, function and leading words of each call that proposes a command."""
    for folder in ("tasks", "keybuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    name = node.func.id
                    if name in ("proposed", "on_host"):
                        words = tuple(_words(node.args[name == "on_host" :]))
                        yield str(path.relative_to(ROOT)), node.lineno, name, words


def _words(arguments: list[ast.expr]) -> Iterator[str]:
    """Yield the words that stand there as they are, up to the first that does not."""
    for argument in arguments:
        if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple):
            yield from _words(argument.value.elts)
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
        else:
            return


FOUND = [item for item in proposals() if item[3]]


def test_they_are_found() -> None:
    assert len(FOUND) > 80
    assert {words[0] for _, _, _, words in FOUND} >= {"kbz", "docker", "k3s", "mc"}


@pytest.mark.parametrize(
    ("path", "words"),
    [(path, words) for path, _, name, words in FOUND if name == "on_host"],
    ids=[f"{path}:{line}" for path, line, name, _ in FOUND if name == "on_host"],
)
def test_what_is_run_on_a_host_is_there(path: str, words: tuple[str, ...]) -> None:
    assert words[0] in ON_HOSTS, f"{path}: no host has {words[0]} by itself"


@pytest.mark.parametrize(
    ("path", "words"),
    [(path, words) for path, _, name, words in FOUND if name == "proposed"],
    ids=[f"{path}:{line}" for path, line, name, _ in FOUND if name == "proposed"],
)
def test_what_an_operator_types_is_there_and_its_verb_is_real(
    path: str, words: tuple[str, ...]
) -> None:
    if words[0] != "kbz":
        known = ON_THE_CONTROLLER if path.startswith("tasks/") else BASE
        assert words[0] in known or (path, words[0]) in SAID_THERE, path
        return
    if len(words) == 1:
        return  # which verb is a variable
    verb_of(words[1:])  # click's own error where there is none


def test_every_exception_is_used() -> None:
    assert set(SAID_THERE) <= {(path, words[0]) for path, _, name, words in FOUND if words}

"""Completion as people meet it: bash, zsh and fish on a terminal, with the script that kbz prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.shells.real_shell import Shell, shell

ROOT = Path(__file__).parents[4]
SHELLS = ("bash", "zsh", "fish")
LINES = {
    "a verb": ("preflig", "preflight"),
    "a verb of drift": ("drift insta", "drift install"),
    "a verb of health": ("health uninst", "health uninstall"),
    "a verb of history": ("history ver", "history verify"),
    "a verb of versions": ("versions mi", "versions mirror"),
    "an option": ("health --dee", "health --deep"),
    "a module": ("run patr", "run patroni"),
    "a module with a hyphen": ("plan base postgres-", "plan base postgres-proxy"),
    "what is thawed": ("run patroni --lift-freeze patr", "run patroni --lift-freeze patroni"),
    "a credential": ("secrets rotate postgres-a", "secrets rotate postgres-app"),
    "an image": ("versions verify mariadb", "versions verify mariadb-galera"),
    "a rule": ("policy explain EP", "policy explain EP-1"),
    "a column": ("health --limit role=mon", "health --limit role=monitoring"),
    "a column after a comma": ("plan --limit db,role=mon", "plan --limit db,role=monitoring"),
    "a column in one word": ("health --limit=role=mon", "health --limit=role=monitoring"),
    "a host in one word": ("health --limit=db,moni", "health --limit=db,monitor-01"),
    "a set": ("health --limit @drif", "health --limit @drifted"),
    "a set after a comma": ("health --limit db,@drif", "health --limit db,@drifted"),
    "a host after a comma": ("health --limit db,moni", "health --limit db,monitor-01"),
    "a drill": ("drill rabbitmq-p", "drill rabbitmq-proxy"),
    "a recovery": ("recover gal", "recover galera"),
    "a module without recovery": ("recover patr", "recover patr"),
}
"""What is typed before TAB, and what runs. Each is the only word that begins so."""


@pytest.fixture(scope="module", params=SHELLS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.fail(f"{name} is not on this machine: python -m tests.machine installs it")
    with shell(name, tmp_path_factory.mktemp(name), ROOT) as made:
        yield made


@pytest.mark.parametrize("what", LINES)
def test_a_line_is_completed(running: Shell, what: str) -> None:
    typed, wanted = LINES[what]
    assert running.completed(f"kbz {typed}") == f"kbz {wanted}"

"""Debian packages for a lab: labs that come up at once, and a machine whose apt is at work for somebody else."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keybuzz.lab import requirements
from keybuzz.lab.hosts.process import exclusive, run
from keybuzz.model.core.errors import KbzError


def test_two_labs_on_a_new_machine_install_its_packages_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    installs: list[Sequence[str]] = []

    def install(packages: Sequence[str], report: object) -> None:
        installs.append(packages)
        program.touch()

    monkeypatch.setattr(requirements, "_LOCK", tmp_path / "lock")
    monkeypatch.setattr(requirements, "_install", install)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    together = threading.Barrier(2)

    def come_up(_: int) -> None:
        together.wait(timeout=10)
        requirements.ensure(lambda host, text: None, {str(program): "package"})

    with exclusive(tmp_path / "lock"):
        pool = ThreadPoolExecutor(2)
        jobs = [pool.submit(come_up, number) for number in range(2)]
        assert not program.exists()
    for job in jobs:
        job.result(timeout=10)
    assert installs == [("package",)]


def test_apt_is_waited_for_while_another_program_holds_its_lock(tmp_path: Path) -> None:
    (tmp_path / "lists/partial").mkdir(parents=True)
    update = [
        *("apt-get", "update", "-q", "-o", f"Dir::State::Lists={tmp_path / 'lists'}"),
        *("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null"),
    ]
    with (tmp_path / "lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(KbzError, match="is held by process"):
            requirements.patiently(lambda: run(update), lambda host, text: None, seconds=0)
        # The wait ends only because the lock is let go, which happens when the wait is told.
        said: list[str] = []

        def let_go(_: str, sentence: str) -> None:
            said.append(sentence)
            fcntl.lockf(lock, fcntl.LOCK_UN)

        requirements.patiently(lambda: run(update), let_go)
    assert said == ["Another program has apt's lock: waiting for it."]


def test_apt_that_fails_for_another_reason_is_not_asked_again() -> None:
    with pytest.raises(KbzError, match="Invalid operation"):
        requirements.patiently(lambda: run(["apt-get", "no-such-verb"]), lambda host, text: None)

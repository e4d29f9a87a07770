"""Hooks: told in order, able to refuse before a run, a warning after it, and nobody else's program."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.hooks import hooks, run_after, run_before
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import InputError, RefusedError, StepError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.secret import MASK
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.text.report import report_text
from keybuzz.site.site import Site
from tests.unit.support.site_values import PLANTED, memory_site, planted, with_parameters


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return replace(memory_site(), root=tmp_path)


@pytest.fixture
def work(site: Site, tmp_path: Path) -> Workspace:
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    command = f"kbz run redis --reason {planted('REDIS_PASSWORD')}"
    return Workspace(site, None, journal, lambda event: None, command, clock=lambda: 5.0)  # type: ignore[arg-type]  # asks nobody


def hook(site: Site, moment: str, name: str, script: str, mode: int = 0o700) -> Path:
    path = site.root / "hooks" / f"{moment}.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o755)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def told(site: Site, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (site.root / name).read_text().splitlines()]


def report(outcome: Outcome = Outcome.OK) -> Report:
    host = HostReport("redis-01", outcome, what=planted("REDIS_PASSWORD"))
    return Report("run", ("redis",), {"redis-01": host}, Plan({}), (), (), 1.0)


def test_they_are_told_of_the_run_in_order_and_without_secrets(site: Site, work: Workspace) -> None:
    for moment in ("before", "after"):
        hook(site, moment, "20-two", "(cat; echo) >> told; echo two >> order")
        hook(site, moment, "10-one", "echo one >> order; echo noise")
    with in_journal(work, "run", ()) as number:
        assert (site.root / "order").read_text() == "one\ntwo\n"
        done = remember(work, number, report())
    before, after = told(site, "told")
    assert (before["moment"], before["run"], before["verb"]) == ("before", number, "run")
    assert (after["moment"], after["run"], after["exit_code"]) == ("after", number, 0)
    assert after["hosts"]["redis-01"]["outcome"] == "ok"
    assert before["command"] == after["command"] == "kbz run redis --reason " + MASK
    assert PLANTED not in (site.root / "told").read_text()
    assert done.warnings == ()


def test_before_one_that_fails_refuses_the_run_and_the_rest_is_not_called(
    site: Site, work: Workspace
) -> None:
    secret = planted("REDIS_PASSWORD")
    path = hook(site, "before", "10-window", f"echo no; echo 'not today {secret}' >&2; exit 7")
    hook(site, "before", "20-never", "touch called")
    with (
        pytest.raises(RefusedError, match="the hook 10-window refuses the run") as caught,
        in_journal(work, "run", ()),
    ):
        pytest.fail("the run began")
    assert (caught.value.where, caught.value.code) == (str(path), ExitCode.REFUSED)
    assert caught.value.what.endswith(f"exit 7: not today {MASK}")
    assert not (site.root / "called").exists()
    [record] = work.journal.runs()
    assert record.exit_code == ExitCode.REFUSED
    assert "10-window" in record.note


def test_after_one_that_fails_is_a_warning_and_the_next_is_called(
    site: Site, work: Workspace
) -> None:
    hook(site, "after", "10-mail", "echo no route >&2; exit 1")
    hook(site, "after", "20-next", "touch called")
    with in_journal(work, "run", ()) as number:
        done = remember(work, number, report())
    assert done.warnings == ("the hook 10-mail failed: exit 1: no route",)
    assert done.exit_code == ExitCode.GOOD
    assert "warning: the hook 10-mail failed: exit 1: no route\n" in report_text(done)
    assert (site.root / "called").exists()
    [record] = work.journal.runs()
    assert (record.exit_code, record.note) == (0, "the hook 10-mail failed: exit 1: no route")


def test_after_a_run_without_a_report_they_are_told_its_error(site: Site, work: Workspace) -> None:
    hook(site, "after", "10-tell", "(cat; echo) >> told")
    with pytest.raises(StepError), in_journal(work, "run", ()):
        raise StepError("broken on purpose")
    [after] = told(site, "told")
    assert (after["exit_code"], after["error"]) == (1, "broken on purpose")


def test_health_tells_nobody(site: Site, work: Workspace) -> None:
    for moment in ("before", "after"):
        hook(site, moment, "10-tell", "touch called; exit 1")
    with in_journal(work, "health", ()) as number:
        remember(work, number, replace(report(), verb="health"))
    assert not (site.root / "called").exists()


def test_one_that_does_not_end_is_ended(site: Site) -> None:
    short = with_parameters(site, {"hooks.seconds": "0.2"})
    hook(site, "before", "10-hang", "exec sleep 600")
    with pytest.raises(RefusedError, match=r"it did not end within 0\.2 s"):
        run_before(short, {})
    hook(site, "after", "10-hang", "exec sleep 600")
    assert run_after(short, {}, Cuts()) == ("the hook 10-hang failed: it did not end within 0.2 s",)


def test_a_time_that_is_none_stops_a_run_before_it_begins(site: Site) -> None:
    for text in ("", "soon", "-1", "inf"):
        with pytest.raises(InputError, match="must be a number of seconds"):
            run_before(with_parameters(site, {"hooks.seconds": text}), {})


def test_one_that_reads_nothing_is_no_fault(site: Site) -> None:
    hook(site, "before", "10-deaf", "exit 0")
    run_before(site, {"text": "x" * 1_000_000})


@pytest.mark.parametrize("what", ["file", "folder", "parent"])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_what_others_may_write_is_refused(site: Site, what: str, mode: int) -> None:
    path = hook(site, "before", "10-mine", "touch called")
    place = {"file": path, "folder": path.parent, "parent": path.parent.parent}[what]
    place.chmod(mode)
    with pytest.raises(RefusedError, match="others may write it") as caught:
        run_before(site, {})
    assert caught.value.where == str(place)
    assert not (site.root / "called").exists()


def test_what_can_not_be_called_afterwards_is_said_before(site: Site) -> None:
    hook(site, "after", "10-tell", "exit 0", mode=0o722)
    with pytest.raises(RefusedError, match="others may write it"):
        run_before(site, {})
    assert run_after(site, {}, Cuts())[0].startswith("no hook was called after the run: ")


def test_one_of_another_user_is_refused(site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = hook(site, "before", "10-his", "exit 0")
    os.chown(path, 12345, 12345)
    with pytest.raises(RefusedError, match="belongs to user 12345"):
        hooks(site.root, "before")


def test_what_is_no_program_is_refused_and_hidden_files_are_none(site: Site) -> None:
    hook(site, "before", ".10-one.swp", "exit 1", mode=0o600)
    assert hooks(site.root, "before") == ()
    path = hook(site, "before", "10-one", "exit 0", mode=0o600)
    with pytest.raises(RefusedError, match="must be a program") as caught:
        hooks(site.root, "before")
    assert f"chmod 700 {path}" in caught.value.hint


def test_without_a_folder_nobody_is_told(site: Site) -> None:
    run_before(site, {})
    assert run_after(site, {}, Cuts()) == ()

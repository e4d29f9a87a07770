"""The reader of a file is told of each change: once, and again when it could not be told."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.docker import StoppedContainer
from keybuzz.model.host.files import ContainerSignal, File, UnitReload
from tests.flow.support.agent_host import OneHost, one_host
from tests.flow.support.sshd import until
from tests.flow.support.unix_server import respond, serving

NEW = "answer = 42\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path) as host:
        yield host


def app_conf(host: OneHost, reload: UnitReload | ContainerSignal | None = None) -> File:
    how = reload or UnitReload("app.service")
    return File(str(host.files / "app.conf"), Content.plain(NEW), reload=how)


def test_a_reader_is_told_once_for_each_change(host: OneHost) -> None:
    log = host.scratch.log_calls("systemctl")
    wanted = app_conf(host)
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert host.converge(wanted) == []
    assert log.read_text() == "reload-or-restart app.service\n"


def test_a_restart_is_not_refused_for_the_restarts_before_it(host: OneHost) -> None:
    log = host.scratch.log_calls("systemctl")
    assert host.converge(app_conf(host, UnitReload("app.service", "restart"))) == [Outcome.CHANGED]
    assert log.read_text() == "reset-failed app.service\nrestart app.service\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CanReload=yes ActiveState=active", True),
        ("CanReload=no ActiveState=active", False),
        ("CanReload=yes ActiveState=inactive", False),
        ("", False),
    ],
)
def test_a_reload_never_starts_or_restarts_a_unit(host: OneHost, said: str, told: bool) -> None:
    log = host.scratch.log_calls("systemctl", f'[ "$1" = show ] && echo {said}; exit 0')
    assert host.converge(app_conf(host, UnitReload("app.service", "reload"))) == [Outcome.CHANGED]
    asked, *others = log.read_text().splitlines()
    assert asked == "show --property=CanReload,ActiveState app.service"
    assert others == ["reload app.service"] * told


def test_a_reader_that_could_not_be_told_is_told_by_the_next_run(host: OneHost) -> None:
    host.scratch.log_calls("systemctl", "echo Unit is masked >&2; exit 1")
    wanted = app_conf(host)
    result = host.only(wanted)
    assert (result.outcome, result.hint) == (Outcome.FAILED, "journalctl -u app.service")
    assert "Unit is masked" in result.what
    assert host.state(wanted).attributes["loaded"] is False
    log = host.scratch.log_calls("systemctl")
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert log.read_text() == "reload-or-restart app.service\n"
    assert host.converge(wanted) == []


def test_an_agent_killed_between_rename_and_reload(host: OneHost) -> None:
    gate = host.files.parent / "gate"
    gate.unlink(missing_ok=True)
    os.mkfifo(gate)
    log = host.scratch.log_calls("systemctl", f"read line < {gate}")
    wanted = app_conf(host)
    results: list[Outcome] = []
    applying = threading.Thread(target=lambda: results.extend(host.converge(wanted)))
    applying.start()
    until(log.read_text, "the reload to begin")
    os.kill(host.session.agent.pid, signal.SIGKILL)
    applying.join(15)
    gate.write_text("go\n")
    assert results == [Outcome.UNKNOWN]
    assert Path(wanted.path).read_text() == NEW
    (change,) = host.plan(wanted)
    assert [(d.attribute, d.observed) for d in change.differences] == [("loaded", False)]
    log = host.scratch.log_calls("systemctl")
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert log.read_text() == "reload-or-restart app.service\n"
    assert sorted(path.name for path in host.files.iterdir()) == ["app.conf"]
    assert host.converge(wanted) == []


@pytest.mark.parametrize("running", [True, False])
def test_a_container_is_told_when_it_runs_and_reads_the_file_by_itself_when_it_starts(
    host: OneHost, running: bool
) -> None:
    log = host.files.parent / "signals"
    trap = f"trap 'echo HUP >> {log}' HUP; echo ready > {log}; while :; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", trap]) as reader:
        until(lambda: log.exists() and log.read_text(), "the reader to be ready")
        state = {"State": {"Running": running, "Pid": reader.pid if running else 0}}
        wanted = app_conf(host, ContainerSignal("app", "HUP"))
        with serving(host.scratch.socket, lambda request: respond(200, state)) as engine:
            assert host.converge(wanted) == [Outcome.CHANGED]
            assert host.converge(wanted) == []
        if running:
            until(lambda: log.read_text() == "ready\nHUP\n", "the reader to be told")
        reader.terminate()
    assert log.read_text() == "ready\n" + "HUP\n" * running
    # Never Docker's own kill: it would count as a stop by hand, and the container stay down after a reboot.
    assert engine.asked == ["GET /containers/app/json"]


def test_a_container_that_ended_meanwhile_reads_the_file_when_it_starts(host: OneHost) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    state = {"State": {"Running": True, "Pid": gone.pid}}
    wanted = app_conf(host, ContainerSignal("app", "HUP"))
    with serving(host.scratch.socket, lambda request: respond(200, state)):
        assert host.converge(wanted) == [Outcome.CHANGED]


def test_a_container_is_stopped_with_its_own_patience(host: OneHost) -> None:
    state = {"State": {"Running": True, "Pid": 1}}
    with serving(host.scratch.socket, lambda request: respond(200, state)) as engine:
        assert host.only(StoppedContainer("app", 7)).outcome == Outcome.CHANGED
    assert engine.asked[-1] == "POST /containers/app/stop?t=7"


def test_an_engine_that_is_down_leaves_the_container_to_be_told_later(host: OneHost) -> None:
    wanted = app_conf(host, ContainerSignal("app"))
    result = host.only(wanted)
    assert (result.outcome, result.hint) == (Outcome.FAILED, "systemctl status docker")
    assert Path(wanted.path).read_text() == NEW
    with serving(host.scratch.socket, lambda request: respond(404)) as engine:
        assert host.converge(wanted) == [Outcome.CHANGED]
        assert host.converge(wanted) == []
    assert engine.asked == ["GET /containers/app/json"]

"""What a drill does to a container goes through the host's agent: no program named docker is needed there."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.drill.faults import NoFaults
from keybuzz.engine.drill.ground import HostGround
from keybuzz.model.core.errors import StepError
from keybuzz.model.reports.drill import Scenario
from tasks.patroni import MODULE
from tests.flow.support.agent_host import NAME, close, local_nornir, make_site, scratch_host
from tests.flow.support.unix_server import Request, Server, respond, serving


class Engine:
    """A Docker Engine with the container that Patroni's drill is about."""

    def __init__(self, process: int) -> None:
        self.there = True
        self.running = True
        self.process = process

    def __call__(self, request: Request) -> bytes:
        container = "/containers/patroni"
        match request.method, request.path.partition("?")[0]:
            case _ if not self.there:
                return respond(404, {"message": "No such container: patroni"})
            case "GET", path if path == f"{container}/json":
                state = {"Running": self.running, "Pid": self.process if self.running else 0}
                return respond(200, {"State": state})
            case "POST", path if path == f"{container}/stop":
                self.running = False
            case "POST", path if path == f"{container}/start":
                self.running = True
        return respond(204, None)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as started:
        yield started
        started.kill()


@pytest.fixture
def engine(process: subprocess.Popen[bytes]) -> Engine:
    return Engine(process.pid)


@pytest.fixture
def ground(tmp_path: Path, engine: Engine) -> Iterator[tuple[HostGround, Server]]:
    """A host with that engine, on which every program named docker fails."""
    host = scratch_host(tmp_path / NAME)
    host.install("docker", "exit 127")
    site = make_site(tmp_path)
    nornir = local_nornir(site, {NAME: host})
    workspace: Any = SimpleNamespace(nornir=nornir, site=site, stop=threading.Event())
    with serving(host.socket, engine) as server:
        yield HostGround(workspace, MODULE, MODULE.drills[0], NoFaults(), {}), server
    close(nornir)


def test_a_killed_container_dies_by_a_signal_and_is_started_again(
    ground: tuple[HostGround, Server], process: subprocess.Popen[bytes], engine: Engine
) -> None:
    ground[0].inject(Scenario.CONTAINER_KILLED, NAME)
    assert process.wait(10) == -9
    engine.running = False
    ground[0].restore(Scenario.CONTAINER_KILLED, NAME)
    ground[0].restore(Scenario.CONTAINER_KILLED, NAME)
    changes = [asked for asked in ground[1].asked if asked.startswith("POST")]
    assert changes == ["POST /containers/patroni/start"]


def test_a_stopped_container_has_its_time_and_is_started_again(
    ground: tuple[HostGround, Server], process: subprocess.Popen[bytes], engine: Engine
) -> None:
    ground[0].inject(Scenario.CONTAINER_STOPPED, NAME)
    assert not engine.running
    ground[0].restore(Scenario.CONTAINER_STOPPED, NAME)
    ground[0].heal(NAME)
    assert [asked.rpartition("/")[2] for asked in ground[1].asked if asked.startswith("POST")] == [
        "stop?t=60",
        "start",
        "stop?t=60",
        "start",
    ]
    assert process.poll() is None


def test_a_container_that_is_not_there_is_told_by_its_name(
    ground: tuple[HostGround, Server], engine: Engine
) -> None:
    engine.there = False
    with pytest.raises(StepError, match="container patroni does not run"):
        ground[0].inject(Scenario.CONTAINER_KILLED, NAME)
    with pytest.raises(StepError, match="No such container: patroni"):
        ground[0].restore(Scenario.CONTAINER_KILLED, NAME)

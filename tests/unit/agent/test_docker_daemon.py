"""Whether the engine has read its daemon.json, and the one that is described: else its restart is foretold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keybuzz.agent.kinds.host import docker_daemon as kind
from keybuzz.agent.runtime.context import Context
from keybuzz.model.core.secret import sha256
from keybuzz.model.host.docker import DockerDaemon

TEXT = b'{"log-driver": "json-file"}\n'
CONTEXT = Context("00", None)  # type: ignore[arg-type]  # nothing is sent


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    started = tmp_path / "docker.pid"
    started.write_text("1")
    os.utime(started, (1000, 1000))
    monkeypatch.setattr(kind, "_PID", str(started))
    monkeypatch.setattr(kind, "_CONFIGURATION", str(tmp_path / "daemon.json"))
    return tmp_path / "daemon.json"


def has_read(digest: str) -> bool:
    asked = DockerDaemon("json-file", "overlay2", "systemd", digest).query()
    return kind._has_read(str(asked["configuration"]), CONTEXT)


def test_a_described_file_that_is_not_there_yet_is_not_read(configuration: Path) -> None:
    assert has_read("")
    assert not has_read(sha256(TEXT))


@pytest.mark.parametrize(("written", "read"), [(900, True), (1100, False)])
def test_one_that_is_as_described_counts_from_the_start_on(
    configuration: Path, written: int, read: bool
) -> None:
    configuration.write_bytes(TEXT)
    os.utime(configuration, (written, written))
    assert has_read(sha256(TEXT)) is read
    assert has_read("") is read
    assert not has_read(sha256(b"another"))

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
DEFAULT = "/var/lib/docker"


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


class OneContainer:
    """An engine with a container, as far as its names are asked."""

    def get(self, path: str) -> list[dict[str, list[str]]]:
        assert path == "/containers/json?all=1"
        return [{"Names": ["/old-redis"]}]


class WithEngine:
    docker = OneContainer()


def elsewhere(root: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(kind, "_command_line", lambda: ["/usr/bin/dockerd", *words])
    return kind._elsewhere(root, WithEngine())  # type: ignore[arg-type]  # only its engine is used


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (DEFAULT, ()),
        (f"{DEFAULT}/100000.100000", ("--userns-remap=default",)),
        ("/data/docker", ("--data-root", "/data/docker")),
        ("/data/docker", ("-H", "fd://", "--data-root=/data/docker/")),
        ("/data/docker/1.1", ("-g", "/data/docker", "--userns-remap", "default")),
        ("", ()),
    ],
)
def test_what_the_command_line_says_stays_after_a_restart(
    root: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert elsewhere(root, *words, monkeypatch=monkeypatch) == {}


@pytest.mark.parametrize("root", ["/data/docker", f"{DEFAULT}/100000.100000", f"{DEFAULT}-2"])
def test_what_only_daemon_json_says_ends_with_a_restart(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = elsewhere(root, "-H", "fd://", monkeypatch=monkeypatch)
    assert found == {"root": root, "in_root": ["old-redis"]}


def test_a_link_to_the_data_is_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "docker").symlink_to(tmp_path / "data")
    monkeypatch.setattr(kind, "_ROOT", str(tmp_path / "docker"))
    assert elsewhere(str(tmp_path / "data"), monkeypatch=monkeypatch) == {}


def test_the_command_line_is_the_one_of_the_process(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configuration.parent / "docker.pid").write_text(f"{os.getpid()}\n")
    assert kind._command_line()[:-1] == Path("/proc/self/cmdline").read_text().split("\0")[:-1]
    (configuration.parent / "docker.pid").write_text("nonsense")
    assert kind._command_line() == []

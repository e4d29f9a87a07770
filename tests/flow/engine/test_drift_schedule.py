"""`kbz drift install` as root on a machine with systemd: its folders are scratch folders, and its systemctl logs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybuzz.engine.schedule.schedule import DRIFT
from tests.flow.support.agent_host import ROOT

_MOUNTS = {"units": "/etc/systemd/system", "programs": "/usr/local/sbin"}


@dataclass(frozen=True)
class Machine:
    """Folders that stand for those of a machine while kbz runs."""

    root: Path

    @property
    def calls(self) -> list[str]:
        """What systemctl was asked since the last look."""
        log = self.root / "calls"
        found = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return found

    @property
    def units(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted((self.root / "units").iterdir())}

    def systemctl(self, script: str = "exit 0") -> None:
        self.program("systemctl", f'echo "$@" >> {self.root}/calls\n{script}')

    def program(self, name: str, script: str) -> None:
        program = self.root / "programs" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        mounts = " && ".join(
            f"mount --bind {self.root}/{name} {at}" for name, at in _MOUNTS.items()
        )
        kbz = [sys.executable, "-m", "keybuzz.cli.main", "--config", str(self.root / "site.config")]
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "sh",
                "-c",
                f'{mounts} && exec "$0" "$@"',
                *kbz,
                "drift",
                *words,
            ],
            env={**os.environ, "PATH": f"/usr/local/sbin:{os.environ['PATH']}"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if not Path("/etc/systemd/system").is_dir():
        pytest.skip("this machine has no folder for systemd's units")
    for name in _MOUNTS:
        (tmp_path / name).mkdir()
    paths = "".join(
        f"  {name}: {tmp_path}/{name}\n"
        for name in ("state", "credentials", "builder_socket", "known_hosts")
    )
    (tmp_path / "overlay.yaml").write_text(f"paths:\n{paths}")
    config = (ROOT / "nornir_config.yaml").read_text()
    config = config.replace("overlay: inventory/lab.yaml", f"overlay: {tmp_path}/overlay.yaml")
    (tmp_path / "site.config").write_text(config.replace("inventory/", f"{ROOT}/inventory/"))
    made = Machine(tmp_path)
    made.systemctl()
    made.program("sendmail", "exit 0")
    return made


def test_it_is_written_started_left_alone_and_taken_away(machine: Machine) -> None:
    install = ("install", "--by", "systemd", "--every", "daily")
    done = machine(*install)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"/{DRIFT.service} is written",
        f"/{DRIFT.timer} is written",
        f"/{DRIFT.failed} is written",
        "kbz-drift.timer is enabled and waits",
    ]
    assert machine.calls == ["daemon-reload", "enable --now kbz-drift.timer"]
    before = machine.units
    assert set(before) == {DRIFT.service.name, DRIFT.timer.name, DRIFT.failed.name}
    again = machine(*install)
    assert [line.rpartition(" is ")[2] for line in again.stdout.splitlines()] == [
        *("as wanted",) * 3,
        "enabled and waits",
    ]
    assert machine.calls == ["daemon-reload", "enable --now kbz-drift.timer"]
    assert machine.units == before
    assert machine("status").returncode == 0
    gone = machine("uninstall")
    assert gone.stdout.splitlines() == [
        f"/{path} is gone" for path in (DRIFT.timer, DRIFT.service, DRIFT.failed)
    ]
    assert machine.calls == ["disable --now kbz-drift.timer", "daemon-reload"]
    assert machine.units == {}
    assert machine("uninstall").stdout == "nothing is scheduled\n"
    assert machine.calls == []


def test_what_systemd_refuses_is_told_and_can_be_repeated(machine: Machine) -> None:
    machine.systemctl("echo 'unit is masked' >&2; exit 1")
    done = machine("install", "--by", "systemd")
    assert done.returncode == 1
    assert "systemctl daemon-reload: unit is masked" in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.calls == ["daemon-reload"]
    machine.systemctl()
    assert machine("install", "--by", "systemd").returncode == 0
    assert machine.calls == ["daemon-reload", "enable --now kbz-drift.timer"]


def test_where_nothing_can_mail_it_is_said_where_to_look(machine: Machine) -> None:
    if any(Path(folder, "sendmail").exists() for folder in ("/usr/sbin", "/usr/bin", "/usr/lib")):
        pytest.skip("this machine has a program that takes mail")
    (machine.root / "programs" / "sendmail").unlink()
    done = machine("install", "--by", "systemd")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == (
        "there is no sendmail on this machine, so nothing is mailed"
        " → journalctl --unit kbz-drift.service"
    )

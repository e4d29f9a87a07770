"""Units of ours as the agent reads and writes them: what systemd says counts, not what lies on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.host import systemd_unit as kind
from keybuzz.agent.readings import units
from keybuzz.agent.runtime.children import Completed
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.system import SystemdUnit

UNIT = SystemdUnit("kbz-test.service", "[Service]\nExecStart=/bin/true\n")
CONTEXT = Context("00", None)  # type: ignore[arg-type]  # nothing is sent
RUNNING = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n"


class Systemd:
    """Answers `systemctl show`, and notes every other call."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.made: list[str] = []
        self.failing = ""

    def __call__(self, argv: Sequence[str], **_: Any) -> Completed:
        words = " ".join(argv[1:])
        if words.startswith("show "):
            return Completed(0, self.shown.encode(), b"", False)
        self.made.append(words)
        failed = bool(self.failing) and words.startswith(self.failing)
        return Completed(int(failed), b"", b"it is masked\n" if failed else b"", False)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Systemd:
    made = Systemd(RUNNING)
    monkeypatch.setattr(kind, "_FOLDER", str(tmp_path))
    monkeypatch.setattr(kind, "run_child", made)
    monkeypatch.setattr(units, "run_child", made)
    return made


def read() -> Any:
    return kind.read_systemd_unit(UNIT.query(), CONTEXT)


def write() -> None:
    kind.write_systemd_unit(UNIT.order(), CONTEXT)


def test_one_that_is_not_there_is_written_read_enabled_and_started(
    systemd: Systemd, tmp_path: Path
) -> None:
    assert read()["present"] is False
    write()
    assert (tmp_path / UNIT.unit).read_text() == UNIT.text
    assert systemd.made == [
        "daemon-reload",
        f"reset-failed {UNIT.unit}",
        f"enable {UNIT.unit}",
        f"restart {UNIT.unit}",
    ]
    wanted = UNIT.wanted(DigestKey(b"k" * 32))
    assert read() == {"present": True, "attributes": {**wanted, "state": "active"}}


@pytest.mark.parametrize(
    ("word", "other", "attribute"),
    [
        ("=active", "=failed", "running"),
        ("=active", "=activating", "running"),
        ("=enabled", "=disabled", "enabled"),
        ("Reload=no", "Reload=yes", "loaded"),
    ],
)
def test_what_systemd_says_is_drift(
    systemd: Systemd, word: str, other: str, attribute: str
) -> None:
    write()
    systemd.shown = RUNNING.replace(word, other)
    wanted = UNIT.wanted(DigestKey(b"k" * 32))
    found = read()["attributes"]
    assert {name: found[name] for name in wanted} == {**wanted, attribute: False}


def test_a_unit_that_serves_is_started_without_waiting_for_it(systemd: Systemd) -> None:
    """A server of a cluster may wait for the others: whoever starts it must be free to start them too."""
    kind.write_systemd_unit(replace(UNIT, serves=True).order(), CONTEXT)
    assert systemd.made[-1] == f"--no-block restart {UNIT.unit}"


def test_one_that_only_lies_still_is_started_and_not_restarted(systemd: Systemd) -> None:
    write()
    systemd.made.clear()
    systemd.shown = RUNNING.replace("=active", "=inactive")
    write()
    assert systemd.made[-1] == f"start {UNIT.unit}"


def test_another_text_is_drift_and_restarts_it(systemd: Systemd, tmp_path: Path) -> None:
    write()
    (tmp_path / UNIT.unit).write_text("[Service]\nExecStart=/bin/false\n")
    assert read()["attributes"]["digest"] != UNIT.wanted(DigestKey(b"k" * 32))["digest"]
    write()
    assert systemd.made[-1] == f"restart {UNIT.unit}"
    assert (tmp_path / UNIT.unit).read_text() == UNIT.text


def test_a_link_to_nowhere_as_mask_makes_it_is_not_there(systemd: Systemd, tmp_path: Path) -> None:
    (tmp_path / UNIT.unit).symlink_to("/dev/null")
    assert read()["present"] is False


def test_a_start_that_fails_says_what_systemd_says(systemd: Systemd) -> None:
    systemd.failing = "restart"
    with pytest.raises(AgentError, match=r"restart kbz-test\.service failed: it is masked"):
        write()


def test_a_unit_that_never_failed_needs_no_reset(systemd: Systemd) -> None:
    systemd.failing = "reset-failed"
    write()
    assert systemd.made[-1] == f"restart {UNIT.unit}"

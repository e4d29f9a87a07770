"""Units of a request, asked for at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from keybuzz.agent.kinds.host.system import read_service
from keybuzz.agent.readings import units
from keybuzz.agent.runtime.children import Completed
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError

DOCKER = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n"
AUDITD = "LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nNeedDaemonReload=no\n"
NONE = "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
SAID = {"docker.service": DOCKER, "auditd.service": AUDITD, "no.service": NONE}
QUERIES = [
    {"kind": "service", "name": "docker.service"},
    {"kind": "file", "name": "/etc/hosts"},
    {"kind": "service", "name": "auditd.service"},
    {"kind": "service", "name": "no.service"},
]


class Systemd:
    """Answers `systemctl show` for the units that it is asked for, in that order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.silent = False

    def __call__(self, argv: Sequence[str], **_: Any) -> Completed:
        program, verb, properties, *names = argv
        assert (program, verb) == ("systemctl", "show")
        assert properties == "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"
        self.asked.append(tuple(names))
        said = "" if self.silent else "\n".join(SAID[name] for name in names)
        return Completed(0, said.encode(), b"", False)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    made = Systemd()
    monkeypatch.setattr(units, "run_child", made)
    return made


def context(queries: Sequence[dict[str, Any]]) -> Context:
    return Context("00", None, queries)  # type: ignore[arg-type]  # nothing is sent


def test_a_request_asks_systemd_once_and_each_unit_gets_its_own_answer(systemd: Systemd) -> None:
    shared = context(QUERIES)
    found = {
        query["name"]: read_service(query, shared)
        for query in QUERIES
        if query["kind"] == "service"
    }
    assert systemd.asked == [("docker.service", "auditd.service", "no.service")]
    assert found == {
        "docker.service": {"present": True, "attributes": {"enabled": True, "running": True}},
        "auditd.service": {"present": True, "attributes": {"enabled": False, "running": False}},
        "no.service": {"present": False, "attributes": {}},
    }


def test_a_unit_that_the_request_did_not_name_is_asked_for_alone(systemd: Systemd) -> None:
    assert read_service(QUERIES[0], context(()))["present"] is True
    assert systemd.asked == [("docker.service",)]


def test_silence_is_not_the_absence_of_a_unit(systemd: Systemd) -> None:
    systemd.silent = True
    with pytest.raises(AgentError, match=r"told of 1 units instead of 3"):
        read_service(QUERIES[0], context(QUERIES))

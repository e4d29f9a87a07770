"""A session that only looks: the agent refuses everything else, whatever frame comes later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.main import OPERATIONS
from keybuzz.agent.readings import table
from keybuzz.agent.runtime.frames import json_frame
from keybuzz.model.core.access import Access
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import ContactError, RefusedError, StepError
from keybuzz.model.host.files import File
from keybuzz.transport.link import Target
from keybuzz.transport.local import LocalLink
from keybuzz.transport.session import Session
from keybuzz.transport.ssh.link import SshShellLink
from keybuzz.transport.stream import Stream
from tests.flow.support.agent_host import KEY, ScratchHost, scratch_host
from tests.flow.support.connections import may
from tests.flow.support.sshd import until

LATE = {"open": {"access": "change"}, "op": "open", "access": "change"}
Found = dict[str, Any]
"""A result of any shape."""
BEYOND = {kind: needed for kind in table.kinds() if (needed := table.needed(kind)) != "look"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ScratchHost]:
    made = scratch_host(tmp_path / "host")
    yield made
    until(lambda: not made.agents(), "the agents to end")


def opened(host: ScratchHost, access: Access) -> LocalLink:
    link = LocalLink()
    extras = {"name": "db-01", "python": str(host.python)}
    link.open("127.0.0.1", None, None, None, None, extras, may(access))
    return link


@pytest.fixture(params=[Access.LOOK, Access.PROBE], ids=lambda access: access.value)
def session(host: ScratchHost, request: pytest.FixtureRequest) -> Iterator[Session]:
    link = opened(host, request.param)
    yield link.connection
    link.close()


def probe(session: Session, *readings: dict[str, Any], resources: Any = ()) -> dict[str, Any]:
    payload = {"key": KEY.key.hex(), "resources": list(resources), "readings": list(readings)}
    return session.request("probe", payload, Found, timeout=20)


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"probe"}))
def test_every_operation_but_the_probe_is_refused(
    session: Session, host: ScratchHost, operation: str
) -> None:
    path = host.files / "app.conf"
    change = {"order": File(str(path), Content.plain("new")).order(), "seen": {}, "wanted": {}}
    payload = {
        "key": KEY.key.hex(),
        "changes": [change],
        "argv": ["touch", str(path)],
        "timeout": 10,
        "kinds": ["firewall"],
    }
    with pytest.raises(StepError, match=f"`{operation}` is refused: this session"):
        session.request(operation, payload, Found, timeout=20)
    assert not path.exists()


def test_no_later_frame_goes_further(session: Session, host: ScratchHost) -> None:
    with pytest.raises(StepError, match="knows no operation"):
        session.request("open", LATE, Found, timeout=20)
    with pytest.raises(StepError, match="is refused"):
        session.request("exec", {"argv": ["true"], "timeout": 5, **LATE}, Found, timeout=20)
    assert len(host.agents()) == 1, "the session lives on"


@pytest.mark.parametrize("kind", sorted(BEYOND))
def test_a_reading_that_does_more_than_look_is_refused_before_it_begins(
    host: ScratchHost, kind: str
) -> None:
    link = opened(host, Access.LOOK)
    (answer,) = probe(link.connection, {"kind": kind, "name": "x"})["answers"]
    link.close()
    assert "is refused: this session only looks" in answer["problem"]


@pytest.mark.parametrize(
    "argv",
    [
        ["touch", "FILE"],
        ["sh", "-c", "touch FILE"],
        ["systemctl", "stop", "docker"],
        ["systemctl", "show", "--root=/tmp"],
        ["journalctl", "-u", "x", "--vacuum-time=1s"],
        ["date", "-s", "2000-01-01"],
        ["iptables", "-F"],
        ["sshd", "-t"],
        ["unshare", "--mount", "sh", "-c", "touch FILE"],
    ],
    ids=" ".join,
)
def test_a_command_that_is_not_known_to_look_is_not_started(
    session: Session, host: ScratchHost, argv: list[str]
) -> None:
    file = host.files / "made"
    words = [word.replace("FILE", str(file)) for word in argv]
    for name in ("systemctl", "journalctl", "date", "iptables", "sshd"):
        host.log_calls(name)
    reading = {"kind": "command", "name": "x", "argv": words, "timeout": 5.0}
    (answer,) = probe(session, reading)["answers"]
    assert "is refused" in answer["problem"]
    assert not file.exists()
    assert not [log for log in host.root.glob("*.log") if log.read_text()]


def test_an_order_to_a_socket_is_no_question(session: Session, tmp_path: Path) -> None:
    reading = {"kind": "socket", "name": "x", "path": str(tmp_path / "s"), "timeout": 1.0}
    for order in ("disable server a/b", "show stat; disable server a/b", "set weight a/b 0"):
        (answer,) = probe(session, {**reading, "question": order})["answers"]
        assert "is refused" in answer["problem"]


def test_sshd_is_asked_where_none_runs_and_no_folder_is_left_behind(
    session: Session, host: ScratchHost
) -> None:
    query = {"kind": "ssh-server", "name": "ssh-server", "options": ["port"]}
    (state,) = probe(session, resources=[query])["states"]
    assert state["attributes"]["port"].isdecimal(), state
    assert not (host.root / "run" / "sshd").exists()


def test_a_session_is_not_opened_by_a_frame_without_its_access(host: ScratchHost) -> None:
    class Silent(LocalLink):
        """Sends a first frame that says nothing of the access."""

        def connect(self, target: Target) -> Stream:
            stream = super().connect(target)
            write = stream.write

            def changed(data: bytes, deadline: float) -> None:
                opening = json_frame({"open": {"access": "change"}})
                write(data.replace(opening, json_frame({"id": 1, "op": "exec"})), deadline)

            stream.write = changed  # type: ignore[method-assign]  # the frame is what is tested
            return stream

    link = Silent()
    extras = {"name": "db-01", "python": str(host.python)}
    with pytest.raises(ContactError, match="was not opened"):
        link.open("127.0.0.1", None, None, None, None, extras, may(Access.CHANGE))


def test_a_plugin_without_an_agent_runs_nothing_for_a_look() -> None:
    with pytest.raises(RefusedError, match="only looks"):
        SshShellLink().open("127.0.0.1", None, None, None, None, {}, may(Access.LOOK))


def test_a_connection_looks_unless_it_is_told_otherwise(host: ScratchHost) -> None:
    link = LocalLink()
    link.open("127.0.0.1", None, None, None, None, {"name": "x", "python": str(host.python)})
    assert link.connection.access is Access.LOOK
    with pytest.raises(StepError, match="is refused"):
        link.connection.execute(["true"], timeout=5)
    link.close()


def test_a_session_that_changes_is_held_to_nothing(host: ScratchHost) -> None:
    link = opened(host, Access.CHANGE)
    made = host.files / "made"
    assert link.connection.execute(["touch", str(made)], timeout=10).exit_code == 0
    link.close()
    assert made.exists()

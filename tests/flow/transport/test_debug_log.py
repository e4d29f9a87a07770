"""`--debug-log`: each request with its host, seconds and bytes; nothing of what was said, in a private file."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.agent.runtime.frames import json_frame
from keybuzz.model.core.errors import ContactError, InputError, StepError
from keybuzz.transport.replies import ExecReply
from keybuzz.transport.said.debug_log import write_to
from keybuzz.transport.said.wire import LOG
from tests.flow.transport.test_session import HELLO, Scripted, scripted

__all__ = ["scripted"]  # the fixture

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z keybuzz\.wire (?P<host>\S+) (?P<op>\S+) \d+\.\d{3} s,"
    r" (?P<sent>\d+) B sent, (?P<back>\d+) B received: (?P<end>.+)"
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "debug.log"
    end = write_to(path)
    yield path
    end()


def lines(path: Path) -> list[dict[str, str]]:
    found = [LINE.fullmatch(line) for line in path.read_text().splitlines()]
    assert all(found), path.read_text()
    return [match.groupdict() for match in found if match]


def answer(number: int, **said: object) -> bytes:
    return json_frame({"id": number, **said})


def test_each_request_is_a_line_with_its_bytes(scripted: Scripted, log: Path) -> None:
    result = {"exit_code": 0, "timed_out": False}
    scripted.say(HELLO, answer(1, result=result))
    opened = scripted.session()
    opened.request("exec", {"argv": ["echo", "of-content"]}, ExecReply, timeout=10)
    start, request = lines(log)
    assert (start["host"], start["op"], start["end"]) == ("db-01", "start", "ok")
    assert int(start["sent"]) > 1000
    assert int(start["back"]) == len(HELLO)
    assert (request["op"], request["end"]) == ("exec", "ok")
    assert int(request["back"]) == len(answer(1, result=result))
    assert "of-content" not in log.read_text()


def test_how_a_request_failed_is_told_in_one_line(scripted: Scripted, log: Path) -> None:
    refused = {"what": "first\nsecond \x1b[31mred", "hint": ""}
    scripted.say(HELLO, answer(1, error=refused))
    opened = scripted.session()
    with pytest.raises(StepError):
        opened.request("exec", {}, ExecReply, timeout=10)
    scripted.far.close()
    with pytest.raises(ContactError):
        opened.request("exec", {}, ExecReply, timeout=10)
    _, step, lost = lines(log)
    assert step["end"].startswith("StepError: first")
    assert "\x1b" not in log.read_text()
    assert lost["end"].startswith("ContactError: contact was lost during exec")


def test_nothing_is_logged_where_it_was_not_asked_for(scripted: Scripted) -> None:
    assert not LOG.isEnabledFor(logging.DEBUG)
    scripted.say(HELLO)
    assert scripted.session().requests == 0


def test_it_is_appended_to_and_private(tmp_path: Path) -> None:
    path = tmp_path / "debug.log"
    for word in ("one", "two"):
        end = write_to(path)
        logging.getLogger("keybuzz.events").debug("%s", word)
        end()
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["no/such/folder.log", ".", "link", "pipe"])
def test_a_place_that_is_no_file_is_an_error_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(InputError) as refused:
        write_to(tmp_path / name)
    assert name.strip("./") in str(refused.value)
    os.close(reader)
    assert not (tmp_path / "elsewhere").exists()

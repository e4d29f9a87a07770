"""The contract: what is said arrives as it was, and what is not of its shape is refused on both sides."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from keybuzz.engine.shards.contract import (
    FORMAT_VERSION,
    Accepted,
    Ended,
    HostReply,
    HostSilent,
    Message,
    Refused,
    Spec,
    message_line,
    read_message,
    read_spec,
    spec_line,
)
from keybuzz.engine.shards.fingerprint import difference, program
from keybuzz.engine.shards.worker import refused
from keybuzz.transport.replies import MOST_PARTS, ReplyError

SITE = {"state/digest.key": "a", "servers": "b", "credentials": "c"}
SPEC = Spec(FORMAT_VERSION, "r", "fsn1-1", program(), SITE, "describe", {"h": ("base",)}, 1, 8, 9.0)
MESSAGES: tuple[Message, ...] = (
    Accepted("0.1.0 (abc)", 7, "3.11.2"),
    Refused("no", "do this"),
    HostReply("h", "sha256:0", (1.5, 2.0), ({"present": True},), ({"value": 1},)),
    HostSilent("h", True, "it is off"),
    Ended(1),
)


def test_a_spec_arrives_as_it_was() -> None:
    assert read_spec(spec_line(SPEC)) == SPEC


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_one_line_and_arrives_as_it_was(message: Message) -> None:
    line = message_line("fsn1-1", message)
    assert line.count(b"\n") == 1
    assert read_message(line, "fsn1-1", MOST_PARTS) == message


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 2},
        {"shard": "fsn1-2"},
        {"kind": "command"},
        {"kind": ["host"]},
        {"host": 7},
        {"host": None},
        {"contact": "yes"},
    ],
)
def test_a_message_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    fields = json.loads(message_line("fsn1-1", HostSilent("h", True, "off")))
    with pytest.raises(ReplyError):
        read_message(json.dumps({**fields, **change}).encode(), "fsn1-1", MOST_PARTS)


@pytest.mark.parametrize("line", [b"", b"[]\n", b"{", b"\xff\n", b'{"a":' * 50 + b"1" + b"}" * 50])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ReplyError):
        read_message(line, "fsn1-1", MOST_PARTS)
    with pytest.raises(ReplyError):
        read_spec(line)


def test_a_message_holds_no_more_values_than_there_is_room_for() -> None:
    large = message_line("s", HostReply("h", "", (0.0, 0.0), tuple(range(100)), ()))
    with pytest.raises(ReplyError, match="more than 50 values"):
        read_message(large, "s", 50)


@pytest.mark.parametrize("change", [{"format_version": 2}, {"task": "os:system"}, {"of": "x"}])
def test_a_spec_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ReplyError):
        read_spec(json.dumps({**json.loads(spec_line(SPEC)), **change}).encode())


def test_a_worker_takes_the_same_program_and_the_same_site_only() -> None:
    assert refused(SPEC, SITE) is None
    other = refused(replace(SPEC, kbz="0.1.0 (000000000000)"), SITE)
    assert other is not None
    assert other.what == f"its kbz is {program()}, and that of the controller 0.1.0 (000000000000)"
    assert other.hint == "install the same kbz on both"
    site = refused(SPEC, {**SITE, "servers": "x", "credentials": "y"})
    assert site is not None
    assert site.what == "it has another servers, credentials than the controller"


def test_another_key_explains_every_other_difference() -> None:
    assert difference(SITE, dict.fromkeys(SITE, "x")) == "another state/digest.key"
    assert difference(SITE, {"state/digest.key": "a"}) == "another servers, credentials"
    assert difference(SITE, dict(SITE)) == ""

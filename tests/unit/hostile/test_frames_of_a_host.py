"""What a host says on the wire, in every wrong way: it is that host's fault, and the others are heard completely."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from keybuzz.agent.runtime.frames import BYTES, JSON, PROTOCOL, REPLY_LIMIT, json_frame
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.transport.replies import share
from tests.unit.support.scripted_hosts import HELLO, Json, Script, asked, fleet, result_of, scripted

HOSTS = ("redis-01", "redis-02", "redis-03")
BAD, *GOOD = HOSTS


def raw(payload: bytes, kind: bytes = JSON) -> bytes:
    return kind + len(payload).to_bytes(4, "big") + payload


def text(request: Json, result: Any) -> bytes:
    """Return an answer as JSON text, whatever JSON of Python's can hold."""
    return raw(json.dumps({"id": request["id"], "result": result}).encode())


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def with_answers(request: Json, value: Any) -> bytes:
    found = result_of(request)
    found["answers"] = [{"value": value} for _ in found["answers"]]
    return text(request, found)


FRAMES: dict[str, Callable[[Json], list[bytes]]] = {
    "nothing": lambda request: [],
    "half a header": lambda request: [b"J\0\0"],
    "half a frame": lambda request: [b"J\0\0\0\x09{}"],
    "no frame": lambda request: [b"Traceback (most recent call last):\n"],
    "no JSON": lambda request: [raw(b"{")],
    "an empty frame": lambda request: [raw(b"")],
    "no object": lambda request: [raw(b"[1]")],
    "no UTF-8": lambda request: [raw(b'{"id": 1, "result": "\xff\xfe"}')],
    "a lone surrogate": lambda request: [raw(b'{"id": 1, "result": {"states": ["\\ud800"]}}')],
    "NaN": lambda request: [raw(b'{"id": 1, "result": {"states": NaN, "answers": []}}')],
    "infinity": lambda request: [raw(b'{"id": 1, "result": {"states": -1e999}}')],
    "a number of 5000 digits": lambda request: [raw(b'{"id": 1, "result": 1' + b"0" * 5000 + b"}")],
    "a number of 30 digits": lambda request: [raw(b'{"id": 1, "result": 1' + b"0" * 30 + b"}")],
    "100,000 brackets": lambda request: [raw(b'{"id": 1, "result": ' + b"[" * 100_000)],
    "nested in result": lambda request: [text(request, nested(200))],
    "a million objects": lambda request: [
        raw(b'{"id":1,"result":[' + b"{}," * 1_000_000 + b"{}]}")
    ],
    "a frame that is too long": lambda request: [b"J" + (REPLY_LIMIT + 1).to_bytes(4, "big")],
    "a frame of 4 GB": lambda request: [b"J\xff\xff\xff\xff"],
    "bytes of 2 MB": lambda request: [BYTES + (2 << 20).to_bytes(4, "big")],
    "another id": lambda request: [json_frame({"id": 7, "result": result_of(request)})],
    "true for an id": lambda request: [json_frame({"id": True, "result": result_of(request)})],
    "no id": lambda request: [json_frame({"result": result_of(request)})],
    "a list for an id": lambda request: [json_frame({"id": [1], "result": {}})],
    "neither result nor error": lambda request: [json_frame({"id": 1})],
    "result and error": lambda request: [
        json_frame({"id": 1, "result": {}, "error": {"what": ""}})
    ],
    "null": lambda request: [text(request, None)],
    "a list": lambda request: [text(request, [])],
    "a text": lambda request: [text(request, "ok")],
    "no states": lambda request: [text(request, {"answers": []})],
    "no answers": lambda request: [text(request, {"states": []})],
    "too few states": lambda request: [text(request, {**result_of(request), "states": []})],
    "too many answers": lambda request: [
        text(request, {**result_of(request), "answers": [*result_of(request)["answers"], {}]})
    ],
    "states by name": lambda request: [text(request, {"states": {}, "answers": {}})],
    "an error of no shape": lambda request: [json_frame({"id": 1, "error": 1})],
    "an error without words": lambda request: [json_frame({"id": 1, "error": {"hint": "x"}})],
    "an error of a list": lambda request: [json_frame({"id": 1, "error": {"what": ["x"]}})],
    "an event of no shape": lambda request: [json_frame({"id": 1, "event": []})],
    "an event without end": lambda request: [json_frame({"id": 1, "event": {"step": "x"}})],
}
"""Replies to a probe after which a host has not answered."""

GREETINGS: dict[str, bytes] = {
    "nothing": b"",
    "a welcome": b"Welcome to redis-01!\n",
    "no object": json_frame({"hello": 1}),
    "another protocol": json_frame({"hello": {**HELLO["hello"], "protocol": PROTOCOL + 1}}),
    "another access": json_frame({"hello": {**HELLO["hello"], "access": "look"}}),
    "no protocol": json_frame({"hello": {"pid": 1, "python": "3.11.2"}}),
    "a text for a pid": json_frame({"hello": {**HELLO["hello"], "pid": "1"}}),
    "a list for a version": json_frame({"hello": {**HELLO["hello"], "python": [3]}}),
    "no version": json_frame({"hello": {**HELLO["hello"], "python": "three"}}),
    "a version of 5000 digits": json_frame({"hello": {**HELLO["hello"], "python": "3" * 5000}}),
    "deep": raw(b"[" * 100_000),
    "bytes": raw(b"hello", BYTES),
}


def heard(snapshot: Snapshot) -> dict[str, tuple[int, int, int]]:
    """Return how much was heard of each host: states, answers, and those with a problem."""
    return {
        host: (
            len(found.states),
            len(found.answers),
            sum(bool(state.problem) for state in found.states.values())
            + sum(bool(answer.problem) for answer in found.answers.values()),
        )
        for host, found in snapshot.observations.items()
    }


WHOLE = heard(asked(Script(), HOSTS))


def test_the_script_itself_is_sound() -> None:
    assert set(WHOLE) == set(HOSTS)
    assert all(states > 20 and answers > 5 for states, answers, _ in WHOLE.values())
    assert [problems for _, _, problems in WHOLE.values()] == [0, 0, 0]


@pytest.mark.parametrize("kind", FRAMES)
def test_a_reply_of_no_shape_is_a_lost_contact_of_one_host(kind: str) -> None:
    snapshot = asked(Script({BAD: lambda host, request: FRAMES[kind](request)}), HOSTS)
    assert set(snapshot.unreachable) == {BAD}
    assert snapshot.unreachable[BAD].isprintable()
    assert heard(snapshot) == {host: WHOLE[host] for host in GOOD}


@pytest.mark.parametrize("kind", GREETINGS)
def test_a_greeting_of_no_shape_is_a_lost_contact_of_one_host(kind: str) -> None:
    snapshot = asked(Script(greetings={BAD: GREETINGS[kind]}), HOSTS)
    assert set(snapshot.unreachable) == {BAD}
    assert heard(snapshot) == {host: WHOLE[host] for host in GOOD}


@pytest.mark.parametrize("value", [None, [], "x", 1, {"a": 1}, nested(20), [{"names": 1}]])
def test_an_answer_of_no_shape_is_the_problem_of_that_answer_alone(value: Any) -> None:
    snapshot = asked(Script({BAD: lambda host, request: [with_answers(request, value)]}), HOSTS)
    assert snapshot.unreachable == {}
    found = snapshot.observations[BAD]
    problems = [answer.problem for answer in found.answers.values()]
    assert problems
    assert all(problem.startswith("the answer is not understood: ") for problem in problems)
    assert all(answer.value is None for answer in found.answers.values())
    assert not any(state.problem for state in found.states.values())
    assert heard(snapshot)[GOOD[0]] == WHOLE[GOOD[0]]


@pytest.mark.parametrize(
    "state",
    [None, [], {"attributes": {}}, {"present": 1}, {"present": True, "attributes": {"a": {}}}],
)
def test_a_state_of_no_shape_is_the_problem_of_that_resource_alone(state: Any) -> None:
    def reply(host: str, request: Json) -> list[bytes]:
        found = result_of(request)
        found["states"][0] = state
        return [text(request, found)]

    snapshot = asked(Script({BAD: reply}), HOSTS)
    states = list(snapshot.observations[BAD].states.values())
    assert [bool(found.problem) for found in states] == [True, *[False] * (len(states) - 1)]


def test_what_comes_after_the_answer_is_no_answer_to_the_next_question() -> None:
    """A duplicate, and a late one: the host is lost at the next question, and never believed."""
    asked_for: list[Json] = []

    def twice(host: str, request: Json) -> list[bytes]:
        asked_for.append(request)
        frame = json_frame({"id": request["id"], "result": result_of(request)})
        return [frame, frame]

    nornir = scripted(Script({BAD: twice}))
    wanted = {host: fleet()[host] for host in HOSTS}
    assert observe(nornir, wanted).unreachable == {}
    again = observe(nornir, wanted)
    assert set(again.unreachable) == {BAD}
    assert "an answer to request 1 came" in again.unreachable[BAD]
    assert set(again.observations) == set(GOOD)


def test_a_reply_that_has_no_room_beside_many_others_is_that_hosts_fault_and_told() -> None:
    every = tuple(sorted(fleet()))
    room = share(len(every)).size
    assert room < share(1).size == REPLY_LIMIT

    def large(host: str, request: Json) -> list[bytes]:
        result = result_of(request)
        result["states"][0] = {"present": True, "attributes": {}, "text": "x" * room}
        return [json_frame({"id": request["id"], "result": result})]

    found = asked(Script({every[0]: large}), every)
    assert set(found.unreachable) == {every[0]}
    assert f"--limit {every[0]}" in found.unreachable[every[0]]
    assert set(found.observations) == set(every[1:])
    assert not asked(Script({every[0]: large}), every[:3]).unreachable

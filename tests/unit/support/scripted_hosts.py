"""A whole fleet of hosts in this process: each answers the real session with frames that a test has written."""

from __future__ import annotations

import json
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from nornir.core import Nornir
from nornir.core.plugins.connections import ConnectionPluginRegister

from keybuzz.agent.runtime.frames import HEADER_SIZE, PROTOCOL, json_frame, parse_header
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.model.core.access import Access
from keybuzz.model.core.reading import Reading
from keybuzz.model.host.ground import SweepAnswer
from keybuzz.model.host.programs import LogEndAnswer, ProgramsAnswer
from keybuzz.model.host.readiness import ReadinessAnswer
from keybuzz.model.host.strays import StraySweep
from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.session import Hide, Session
from keybuzz.transport.stream import DeadlineError, Stream, StreamError
from tests.unit.support.site_values import memory_nornir, memory_site

PLUGIN = "kbz_test_scripted"
Json = dict[str, Any]
Replies = Callable[[str, Json], Iterable[bytes]]
"""Frames that a host, by its name, answers a request with."""
HELLO = {
    "hello": {"protocol": PROTOCOL, "pid": 4711, "python": "3.11.2", "access": Access.CHANGE.value}
}
SITE = memory_site()


class ScriptedStream:
    """The other end of a session: it answers at once, and hangs up when it has nothing more to say."""

    def __init__(self, host: str, replies: Replies, hello: bytes) -> None:
        self._host = host
        self._replies = replies
        self._waiting = bytearray(hello)
        self._coming: Iterator[bytes] = iter(())
        self._loaded = False

    def write(self, data: bytes, deadline: float) -> None:
        """Take the agent first, and then one request at a time."""
        del deadline
        if not self._loaded:
            self._loaded = True
            return
        _, length = parse_header(data[:HEADER_SIZE])
        request = json.loads(data[HEADER_SIZE : HEADER_SIZE + length])
        self._coming = chain(self._coming, self._replies(self._host, request))

    def read_exactly(self, size: int, deadline: float) -> bytes:
        """Return what was said so far."""
        if time.monotonic() > deadline:
            raise DeadlineError("the host did not answer in time")
        while len(self._waiting) < size:
            frame = next(self._coming, None)
            if frame is None:
                raise StreamError("the connection was closed")
            self._waiting += frame
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def close(self) -> None:
        """Nothing is open; what was not read is of no use."""
        self._waiting.clear()
        self._coming = iter(())


@dataclass
class Script:
    """What all hosts say: sound answers, but for what a test puts in their place."""

    said: dict[str, Replies] = field(default_factory=dict)
    """By host, instead of a sound reply."""
    greetings: dict[str, bytes] = field(default_factory=dict)
    dialed: set[str] = field(default_factory=set)
    """Hosts that were connected to."""

    def __call__(self, host: str, request: Json) -> Iterable[bytes]:
        """Return the frames of a host."""
        return self.said.get(host, sound)(host, request)


def sound(host: str, request: Json) -> list[bytes]:
    """Return a reply of the right shape, in which everything is empty."""
    del host
    return [json_frame({"id": request["id"], "result": result_of(request)})]


def result_of(request: Json) -> Json:
    """Return the result of a request, of the right shape."""
    if request["op"] == "probe":
        return {
            "states": [{"present": False, "attributes": {}} for _ in request["resources"]],
            "answers": [{"value": sample(shape_of(query))} for query in request["readings"]],
        }
    if request["op"] == "apply":
        return {"outcomes": [{"outcome": "ok"} for _ in request["changes"]]}
    return {"exit_code": 0, "timed_out": False}


def told(host: str, request: Json) -> list[bytes]:
    """Return all frames of an apply: events, and the result."""
    del host
    number = request["id"]
    frames = []
    for step in range(len(request["changes"])):
        frames.append(json_frame({"id": number, "event": {"step": step, "phase": "started"}}))
        ended = {"step": step, "phase": "ended", "outcome": "ok", "what": "", "hint": ""}
        frames.append(json_frame({"id": number, "event": ended}))
    return [*frames, json_frame({"id": number, "result": result_of(request)})]


@lru_cache(maxsize=1)
def _shapes() -> Mapping[tuple[str, str], type]:
    """Return the shape of each reading, by its kind and name."""
    return {
        (str(reading.query()["kind"]), reading.name): reading.answers
        for found in fleet().values()
        for description in found.modules.values()
        for reading in description.readings
    }


def shape_of(query: Json) -> type:
    """Return the shape of what a reading is answered with."""
    if query["kind"] == "strays":
        return StraySweep.answers  # only drift asks
    if query["kind"] == "readiness":
        return ReadinessAnswer  # only preflight asks
    if query["kind"] == "data-sweep":
        return SweepAnswer  # only before a first change
    if query["kind"] in ("programs", "log-end"):
        return {"programs": ProgramsAnswer, "log-end": LogEndAnswer}[
            query["kind"]
        ]  # only a bundle asks
    return _shapes()[query["kind"], query["name"]]


def sample(shape: Any) -> Any:
    """Return the emptiest value of a type."""
    if is_typeddict(shape):
        hints = get_type_hints(shape, include_extras=True)
        wanted = shape.__required_keys__
        return {n: sample(hint) for n, hint in hints.items() if n in wanted}
    origin, parts = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return None if type(None) in parts else sample(parts[0])
    if origin is NotRequired:
        return sample(parts[0])
    if origin is tuple:
        return [sample(part) for part in parts]
    if shape is Any:
        return {}
    return (origin or shape)()


@lru_cache(maxsize=1)
def fleet() -> dict[str, HostDescription]:
    """Return the description of every server, by all modules."""
    return describe_all(memory_nornir(SITE), all_modules())


def readings() -> list[Reading]:
    """Return one reading of each kind and name."""
    found = {
        (reading.query()["kind"], reading.name): reading
        for description in fleet().values()
        for part in description.modules.values()
        for reading in part.readings
    }
    return list(found.values())


def session(replies: Replies) -> Session:
    """Return a session with one scripted host."""
    stream = ScriptedStream("redis-01", replies, json_frame(HELLO))
    return Session(stream, where="redis-01", timeout=5.0, access=Access.CHANGE)


def scripted(script: Script) -> Nornir:
    """Return Nornir over the inventory, whose hosts all answer from the script."""

    class Link(AgentLink):
        def start(self, target: Target, access: Access, hide: Hide, meeting: Meeting) -> Session:
            del meeting  # which machine it is, is another test's matter
            stream = self.connect(target)
            return Session(stream, where=target.name, timeout=5.0, access=access, hide=hide)

        def connect(self, target: Target) -> Stream:
            script.dialed.add(target.name)
            greeting = script.greetings.get(target.name, json_frame(HELLO))
            return ScriptedStream(target.name, script, greeting)

    nornir = memory_nornir(SITE)
    ConnectionPluginRegister.available.pop(PLUGIN, None)
    ConnectionPluginRegister.register(PLUGIN, Link)
    for host in nornir.inventory.hosts.values():
        host.data["connection"] = PLUGIN
        host.connection_options[PLUGIN] = host.connection_options["kbz_local"]
    return nornir


def asked(script: Script, hosts: Iterable[str]) -> Snapshot:
    """Return what the product hears of these hosts, about everything that is described there."""
    return observe(scripted(script), {host: fleet()[host] for host in hosts})

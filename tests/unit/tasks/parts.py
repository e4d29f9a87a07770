"""An answer in parts: what of it can be missing while the rest is there, and what a part could say instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from keybuzz.model.core.reading import Answer, Reading
from keybuzz.transport.replies import ReplyError, shaped
from tests.unit.support.scripted_hosts import sample

Json = Any
_WORDS = (
    *("", "foreign", "0", "1", "ON", "OFF", "true", "false", "f", "t", "99.9", "1073741824"),
    *("master", "slave", "primary", "replica", "running", "stopped", "down", "up", "OK", "True"),
    *("user mallory on nopass ~*", "user default on nopass ~*", "foreign=99999999", "rabbit@x"),
    *("10.9.9.9", "10.9.9.9:1", "9.9.9", "redis.service", "rabbitmq.service", "Non-Primary"),
    *("foreign.service loaded failed failed", "pc.weight = 0", "name: value\ndescription: x"),
)
_BY_NAME = ("rows", "replies")
"""What each statement, or command, came to."""
_LEFT_OUT = ("row", "dns", "metrics")
_OF_ANY_SHAPE = ("replies", "json")
_NUMBERS = (0, 1, 99, 10**12, 404)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of one answer: the path to it, none for the answer as a whole."""

    reading: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " / ".join((self.reading, *self.path))

    def of(self, value: Json) -> Json:
        """Return what the answer says there."""
        for key in self.path:
            value = value[key]
        return value

    def put(self, value: Json, new: Json) -> Json:
        """Return the answer with another word there."""
        return _put(value, self.path, new)

    def missing(self, answer: Answer) -> Iterator[Answer]:
        """Yield the answer without this part, in each form that a host or its service has for that."""
        if not self.path:
            yield Answer(self.reading, problem="was refused")
            return
        for value in self._without(answer.value):
            yield replace(answer, value=value)

    def _without(self, value: Json) -> Iterator[Json]:
        first, last = self.path[0], self.path[-1]
        if first in _BY_NAME or first in _LEFT_OUT:
            above = Part(self.reading, self.path[:-1])
            yield above.put(value, {k: v for k, v in above.of(value).items() if k != last})
        if first in _BY_NAME:
            yield self.put(value, {"error": "NOPERM not allowed"})
        if first in _OF_ANY_SHAPE:
            yield self.put(value, "something else")
        if first not in (*_BY_NAME, *_LEFT_OUT):
            yield self.put(value, None)


def parts(reading: Reading, value: Json) -> Iterator[Part]:
    """Yield the answer as a whole, and each part that can be missing alone."""
    yield Part(reading.name)
    if not isinstance(value, dict):
        return
    for name, hint in get_type_hints(reading.answers).items():
        if name in value and type(None) in get_args(hint):
            yield Part(reading.name, (name,))
    for name in _BY_NAME:
        for key in value.get(name, ()):
            yield Part(reading.name, (name, key))
    for name in ("json", *_LEFT_OUT):
        if name in value:
            yield Part(reading.name, (name,))


def emptied(reading: Reading) -> Answer:
    """Return the emptiest answer of its shape."""
    return Answer(reading.name, sample(reading.answers))


def others(reading: Reading, part: Part, answer: Answer) -> Iterator[Answer]:
    """Yield the answer with something else of its shape in one place of a part."""
    for path, found in _leaves(part.of(answer.value), part.path):
        for word in _instead(found):
            value = _put(answer.value, path, word)
            with suppress(ReplyError):
                shaped(value, reading.answers)
                yield replace(answer, value=value)


def _leaves(value: Json, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Json]]:
    yield path, value
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    # The items of a list are alike.
    items = enumerate(value[:1]) if isinstance(value, list) else items
    for key, found in items:
        yield from _leaves(found, (*path, key))


def _instead(found: Json) -> Iterator[Json]:
    match found:
        case bool():
            yield not found
        case int() | float():
            yield from (type(found)(number) for number in _NUMBERS)
        case str():
            yield from _WORDS
        case list():
            yield from ([*found, word] for word in _WORDS)
            yield from ([*found, found[0]] for _ in found[:1])
            yield []
        case dict():
            yield {**found, "mallory": ["administrator"]}
            yield {**found, "nofailover": True}
            yield {**found, "tags": {"nofailover": True}}
            yield {**found, "pause": True}
            yield {**found, "pending_restart": True}
            yield {}
        case None:
            yield from (["foreign"], "foreign")


def _put(value: Json, path: tuple[Any, ...], new: Json) -> Json:
    if not path:
        return new
    first, *rest = path
    if isinstance(value, list):
        return [*value[:first], _put(value[first], tuple(rest), new), *value[first + 1 :]]
    return {**value, first: _put(value[first], tuple(rest), new)}

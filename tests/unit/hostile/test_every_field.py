"""Every field of every reply is replaced by anything (Hypothesis): the other hosts' answers are complete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybuzz.agent.runtime.frames import HEADER_SIZE, JSON
from keybuzz.engine.change.steps import StepResult, apply, results_of
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.files import File
from tests.unit.hostile.test_frames_of_a_host import BAD, GOOD, HOSTS, WHOLE, heard
from tests.unit.support.scripted_hosts import Json, Script, asked, scripted, sound, told

Place = tuple[str | int, ...]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
CHANGES = {
    host: tuple(
        Change(
            host,
            "demo",
            File(f"/x/{n}", Content.plain("new")),
            Action.UPDATE,
            (Difference("digest", "old", "new"),),
        )
        for n in range(2)
    )
    for host in HOSTS
}


def messages(frames: list[bytes]) -> list[Json]:
    return [json.loads(frame[HEADER_SIZE:]) for frame in frames]


def places(value: Any, before: Place = ()) -> Iterator[Place]:
    """Yield every place in a message."""
    yield before
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for name, inner in items:
        yield from places(inner, (*before, name))


def frame(message: Any) -> bytes:
    """Return a frame, as a host that does not know our rules would write it."""
    text = json.dumps(message).encode()
    return JSON + len(text).to_bytes(4, "big") + text


def mutated(frames: list[bytes], which: int, value: Any, *, left_out: bool) -> list[bytes]:
    """Return the frames with one field, of all their fields, replaced by a value or left out."""
    said: list[Any] = messages(frames)
    every = [(n, place) for n, message in enumerate(said) for place in places(message)]
    number, place = every[which % len(every)]
    if not place:
        said[number] = value
        return [frame(message) for message in said]
    target = said[number] = deepcopy(said[number])
    for name in place[:-1]:
        target = target[name]
    if left_out:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    return [frame(message) for message in said]


@SETTINGS
@given(which=st.integers(0, 10**6), value=ANYTHING, left_out=st.booleans())
def test_of_a_probe(which: int, value: Any, left_out: bool) -> None:
    def reply(host: str, request: Json) -> list[bytes]:
        return mutated(sound(host, request), which, value, left_out=left_out)

    snapshot = asked(Script({BAD: reply}), HOSTS)
    assert {host: counts for host, counts in heard(snapshot).items() if host != BAD} == {
        host: WHOLE[host] for host in GOOD
    }
    if BAD in snapshot.unreachable:
        return
    states, answers, problems = heard(snapshot)[BAD]
    assert (states, answers) == WHOLE[BAD][:2]
    assert problems <= 1, "one field is of one state or one answer"


def changed(script: Script) -> dict[str, tuple[StepResult, ...]]:
    nornir = scripted(script).filter(filter_func=lambda host: host.name in HOSTS)
    done = nornir.run(
        task=apply, changes=CHANGES, archives={}, listen=lambda event: None, timeout=5.0
    )
    return {host: results_of(done[host][0], CHANGES[host]) for host in HOSTS}


def test_the_script_of_an_apply_is_sound() -> None:
    results = changed(Script(dict.fromkeys(HOSTS, told)))
    assert {host: [r.outcome for r in found] for host, found in results.items()} == {
        host: [Outcome.OK, Outcome.OK] for host in HOSTS
    }


@SETTINGS
@given(which=st.integers(0, 10**6), value=ANYTHING, left_out=st.booleans())
def test_of_an_apply_in_the_middle_of_a_run(which: int, value: Any, left_out: bool) -> None:
    def reply(host: str, request: Json) -> list[bytes]:
        return mutated(told(host, request), which, value, left_out=left_out)

    results = changed(Script({**dict.fromkeys(GOOD, told), BAD: reply}))
    for host in GOOD:
        assert [result.outcome for result in results[host]] == [Outcome.OK, Outcome.OK]
    found = results[BAD]
    assert [result.change for result in found] == list(CHANGES[BAD])
    good = (Outcome.OK, Outcome.CHANGED)
    assert all(
        r.outcome in (*good, Outcome.FAILED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.SKIPPED)
        for r in found
    )


@SETTINGS
@given(order=st.lists(st.integers(0, 4), max_size=8))
def test_of_events_in_any_order_and_number(order: list[int]) -> None:
    """Duplicates, gaps and an end before its beginning: never more results than changes, and none made up."""

    def reply(host: str, request: Json) -> list[bytes]:
        frames = told(host, request)
        return [frames[place] for place in order]

    results = changed(Script({**dict.fromkeys(GOOD, told), BAD: reply}))
    assert len(results[BAD]) == 2
    whole = order[:5] == [0, 1, 2, 3, 4]
    outcomes = [result.outcome for result in results[BAD]]
    assert (outcomes == [Outcome.OK, Outcome.OK]) == whole
    assert whole or Outcome.UNKNOWN in outcomes

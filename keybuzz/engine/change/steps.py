"""The Nornir task that changes a host: one request with all its changes of a stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.engine.events import Event, Listener, StepEnded, StepStarted
from keybuzz.model.core.errors import ContactError, StepError, sentence_of
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.resource import Value
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import Artefact
from keybuzz.transport.link import renewed_session, session
from keybuzz.transport.meeting import CutError
from keybuzz.transport.replies import ApplyReply, ConfirmReply, ReplyError, StepEvent

if TYPE_CHECKING:
    from nornir.core.task import Result, Task

STEP_TIMEOUT = 900.0
"""Seconds for all changes of one stage on one host."""
CONFIRM_TIMEOUT = 30.0
"""Seconds for a new connection after a dangerous change: half of the host's own countdown."""
_RETRY = 0.2
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one change ended."""

    change: Change
    outcome: Outcome
    what: str = ""
    hint: str = ""


def apply(
    task: Task,
    changes: Mapping[str, tuple[Change, ...]],
    archives: Mapping[str, Path],
    listen: Listener,
    timeout: float = STEP_TIMEOUT,
) -> Result:
    """Nornir task: the result is a tuple of StepResult, one for each change of the host, in order."""
    from nornir.core.task import Result

    mine = changes[task.host.name]
    results = apply_host(task, mine, archives, listen, timeout)
    changed = any(result.outcome is Outcome.CHANGED for result in results)
    return Result(host=task.host, result=results, changed=changed)


def results_of(result: Result, changes: tuple[Change, ...]) -> tuple[StepResult, ...]:
    """Return what `apply` came to on one host; an error that it does not know is that host's, and its step unknown."""
    error = result.exception
    if error is None:
        found: tuple[StepResult, ...] = result.result
        return found
    first = StepResult(changes[0], Outcome.UNKNOWN, sentence_of(error))
    return (first, *(StepResult(change, Outcome.SKIPPED) for change in changes[1:]))


def apply_host(
    task: Task,
    changes: tuple[Change, ...],
    archives: Mapping[str, Path],
    listen: Listener,
    timeout: float = STEP_TIMEOUT,
) -> tuple[StepResult, ...]:
    """Apply changes on the task's host; contact lost inside a step makes that step's outcome unknown."""
    host = task.host.name
    site = task.nornir.config.user_defined["site"]
    told = _Told(host, changes, listen)
    ended = told.ended
    payload = {
        "key": site.digest_key.key.hex(),
        "changes": [_wire(change) for change in changes],
    }
    try:
        opened = session(task)
        reply = opened.request(
            "apply",
            payload,
            ApplyReply,
            timeout=timeout,
            on_event=told,
            upload=_streamed(changes, archives),
        )
        if not told.agrees_with(reply):
            raise opened.misspoke("it does not say how every change ended")
    except (ContactError, StepError) as error:
        # The step at work is the first that has not ended; an answer lost behind the last is about that one.
        place = min(len(ended), len(changes) - 1)
        ended[place:] = [_broken(changes[place], error)]
        listen(_ended(host, ended[place]))
    else:
        _confirm_all(task, ended, listen)
    skipped = [StepResult(change, Outcome.SKIPPED) for change in changes[len(ended) :]]
    return (*ended, *skipped)


class _Told:
    """What a host tells while it works: each change begins and ends once, in order, up to the first that fails."""

    def __init__(self, host: str, changes: tuple[Change, ...], listen: Listener) -> None:
        self.ended: list[StepResult] = []
        self._host = host
        self._changes = changes
        self._listen = listen
        self._started = 0

    def __call__(self, event: StepEvent) -> None:
        """Take an event; ReplyError for one that cannot come now, which ends the session."""
        ends = event.phase == "ended"
        place = len(self.ended)
        if event.step != place or place >= len(self._changes) or self._started != place + ends:
            raise ReplyError(f"change {event.step} has {event.phase} out of turn")
        change = self._changes[place]
        if not ends:
            self._started += 1
            self._listen(StepStarted(self._host, change.identity))
            return
        if not event.outcome:
            raise ReplyError(f"change {event.step} has ended, and how is not told")
        result = StepResult(change, Outcome(event.outcome), event.what, event.hint)
        self.ended.append(result)
        self._listen(_ended(self._host, result))

    def agrees_with(self, reply: ApplyReply) -> bool:
        """Return True when every change was told of, or all up to one that did not work."""
        outcomes = [result.outcome for result in self.ended]
        good = [outcome for outcome in outcomes if outcome in (Outcome.OK, Outcome.CHANGED)]
        same = [Outcome(step.outcome) for step in reply.outcomes] == outcomes
        return same and (len(outcomes) == len(self._changes) or len(good) == len(outcomes) - 1)


def _broken(change: Change, error: ContactError | StepError) -> StepResult:
    if isinstance(error, StepError):
        outcome = Outcome.FAILED
    else:
        outcome = Outcome.UNKNOWN if error.inside_step else Outcome.UNREACHABLE
    return StepResult(change, outcome, error.what, error.hint)


def _confirm_all(task: Task, ended: list[StepResult], listen: Listener) -> None:
    """Confirm the dangerous changes among the ended; one that cannot be confirmed is unknown."""
    guarded = [
        place
        for place, result in enumerate(ended)
        if result.change.resource.guarded and result.outcome is Outcome.CHANGED
    ]
    if not guarded:
        return
    try:
        _confirm(task, sorted({ended[place].change.resource.kind for place in guarded}))
    except (ContactError, StepError) as error:
        for place in guarded:
            ended[place] = _broken(ended[place].change, error)
            listen(_ended(task.host.name, ended[place]))


def _ended(host: str, result: StepResult) -> Event:
    return StepEnded(host, result.change.identity, result.outcome, result.what, result.hint)


def _wire(change: Change) -> dict[str, Any]:
    """Return the order with what the plan saw and wants: the agent refuses when it finds a third thing."""
    created = change.action is Action.CREATE
    return {
        "order": change.resource.order(),
        "seen": {} if created else {d.attribute: _json(d.observed) for d in change.differences},
        "wanted": {d.attribute: _json(d.wanted) for d in change.differences},
    }


def _json(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value


def _streamed(
    changes: tuple[Change, ...], archives: Mapping[str, Path]
) -> Iterator[bytes] | tuple[()]:
    """Return the bytes of the built image or program among the changes; a stage has at most one for each host."""
    for change in changes:
        if isinstance(change.resource, Image) and change.resource.built:
            return _blocks(archives[change.resource.reference])
        if isinstance(change.resource, Artefact):
            source = change.resource.source
            if not source.is_file():
                raise StepError(
                    f"{source} is not there", where=change.host, hint="put the file in its place"
                )
            return _blocks(source)
    return ()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block


def _confirm(task: Task, kinds: list[str]) -> None:
    """Disarm the dead-man undo over a NEW connection: that it opens is the proof (facts/02)."""
    deadline = time.monotonic() + CONFIRM_TIMEOUT
    while True:
        try:
            payload = {"kinds": kinds}
            opened = renewed_session(task)
            opened.request("confirm", payload, ConfirmReply, timeout=CONFIRM_TIMEOUT)
        except ContactError as error:
            # A server that reloads listens again only after a moment.
            if isinstance(error, CutError) or time.monotonic() > deadline:
                raise ContactError(
                    f"no new connection after the change of {', '.join(kinds)}: {error.what}",
                    where=error.where,
                    hint="the host takes the change back by itself within a minute",
                    inside_step=True,
                ) from error
            time.sleep(_RETRY)
        else:
            return

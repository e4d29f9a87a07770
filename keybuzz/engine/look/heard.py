"""States and answers as a host tells them, judged one by one: what is of no shape is that one answer's problem."""

from __future__ import annotations

from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.visible import one_line
from keybuzz.transport.replies import AnswerReply, ReplyError, StateReply, shaped

_LONGEST_TEXT = 1 << 18
"""Characters of a file's text that are kept for a diff."""


def state_of(resource: Resource, reply: object) -> State:
    """Return what a host says of a resource; a state with a problem when that cannot be understood."""
    try:
        found = shaped(reply, StateReply)
    except ReplyError as error:
        return State(resource.identity, False, problem=_not_understood(error))
    text = found.text
    if text is not None and len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}\n… {len(text) - _LONGEST_TEXT} more characters\n"
    problem = one_line(found.problem)
    return State(resource.identity, found.present, found.attributes, text, problem)


def answer_to(reading: Reading, reply: object, between: tuple[float, float] | None) -> Answer:
    """Return what a host answers to a reading; one with a problem when it is not what the reading asks for."""
    try:
        found = shaped(reply, AnswerReply)
        value = None if found.problem else shaped(found.value, reading.answers)
    except ReplyError as error:
        return Answer(reading.name, None, _not_understood(error), between)
    return Answer(reading.name, value, one_line(found.problem), between)


def _not_understood(error: ReplyError) -> str:
    return one_line(f"the answer is not understood: {error}")

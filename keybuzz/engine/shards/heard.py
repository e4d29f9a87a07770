"""What a worker tells of a host, held against what the controller means by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, observation, questions
from keybuzz.engine.shards.contract import HostReply
from keybuzz.engine.shards.worker import asked_digest
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.redact import Redactor
from keybuzz.transport.replies import ProbeReply

if TYPE_CHECKING:
    from nornir.core.task import Task


def observation_of(task: Task, heard: HostReply) -> Observation:
    """Return what the host said; ContactError when its worker did not ask what the controller describes.

    Each state and each answer is judged again, as if the host had said it here, and loses the secrets of the store.
    """
    descriptions: Mapping[str, HostDescription] = cast("Any", task.params)["descriptions"]
    description = descriptions[heard.host]
    wanted = questions(description.modules.values(), Access.LOOK)
    fits = wanted.fits(heard.states, heard.answers)
    if heard.asked != asked_digest(wanted) or not fits:
        raise ContactError(
            "its worker asked something else than the controller describes", where=heard.host
        )
    redactor = task.nornir.config.user_defined.get("redactor", Redactor(()))
    states, answers = redactor.value([list(heard.states), list(heard.answers)])
    return observation(wanted, ProbeReply(tuple(states), tuple(answers)), heard.between)

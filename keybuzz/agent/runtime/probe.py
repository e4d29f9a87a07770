"""One request, all states: nothing here changes the host."""

from __future__ import annotations

from keybuzz.agent.kinds import reader
from keybuzz.agent.readings import table as readings
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import State
    from keybuzz.agent.runtime.channel import Channel


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Answer {"states": [...], "answers": [...]} in the order of the queries."""
    context = Context(request["key"], channel, request["resources"])
    return {
        "states": [read(query, context) for query in request["resources"]],
        "answers": [readings.answer(query, context) for query in request["readings"]],
    }


def read(query: dict[str, Any], context: Context) -> State:
    """Return the state of one resource; what cannot be read is a problem, not an error of the request."""
    if why := context.silence.of(query):
        return {"present": False, "attributes": {}, "problem": why}
    try:
        return reader(query["kind"])(query, context)
    except AgentError as error:
        context.silence.note(query, error)
        return {"present": False, "attributes": {}, "problem": error.what}
    except OSError as error:
        context.silence.note(query, error)
        return {"present": False, "attributes": {}, "problem": os_error_text(error)}
    except Exception as error:  # one reader's fault must not make the whole host unreadable
        what = f"the agent failed to read it: {type(error).__name__}: {error}"
        return {"present": False, "attributes": {}, "problem": what}

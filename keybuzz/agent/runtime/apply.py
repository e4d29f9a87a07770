"""Writes changes one after the other; stops at the first that fails."""

from __future__ import annotations

from keybuzz.agent.kinds import writer
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError, os_error_text
from keybuzz.agent.runtime.probe import read
from keybuzz.agent.wire.json_text import well_formed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import State
    from keybuzz.agent.runtime.channel import Channel


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Answer {"outcomes": [{"outcome", "what", "hint"}]}; an event goes out before and after each step."""
    context = Context(request["key"], channel)
    outcomes: list[dict[str, str]] = []
    for number, change in enumerate(request["changes"]):
        channel.event({"step": number, "phase": "started"})
        outcome = _write(change, context)
        outcomes.append(outcome)
        channel.event({"step": number, "phase": "ended", **outcome})
        if outcome["outcome"] not in {"ok", "changed"}:
            break
    return {"outcomes": outcomes}


def _write(change: dict[str, Any], context: Context) -> dict[str, str]:
    order = change["order"]
    try:
        now = read(order, context)
        if _is_as_wanted(now, change["wanted"]):
            return {"outcome": "ok", "what": "", "hint": ""}
        _refuse_if_moved(order["name"], now, change["seen"], context)
        writer(order["kind"])(order, context)
    except AgentError as error:
        return {"outcome": error.outcome, "what": error.what, "hint": error.hint}
    except OSError as error:
        return {"outcome": "failed", "what": os_error_text(error), "hint": ""}
    finally:
        context.forget()
    return {"outcome": "changed", "what": "", "hint": ""}


def _is_as_wanted(now: State, wanted: dict[str, Any]) -> bool:
    """Return whether an earlier step of this request, or another program, has done it already."""
    found = well_formed(now.get("attributes", {}))
    return now["present"] and all(found.get(name) == value for name, value in wanted.items())


def _refuse_if_moved(name: str, now: State, seen: dict[str, Any], context: Context) -> None:
    """Compare with what the plan saw: nothing is changed that the plan has not seen."""
    found = well_formed(now.get("attributes", {})) if now["present"] else {}
    moved = [
        attribute
        for attribute, value in seen.items()
        if not context.is_as_shown(value, found.get(attribute))
    ]
    if not seen and now["present"]:
        moved = ["existence"]
    if moved:
        raise AgentError(
            f"{name} has moved since the plan was made ({', '.join(moved)})",
            "run the command again: it plans from what is there now",
            outcome="refused",
        )

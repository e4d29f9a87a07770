"""Operation `confirm`: that it arrives over a new connection proves that a dangerous change is fine."""

from __future__ import annotations

from keybuzz.agent.runtime import undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.channel import Channel


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Disarm the undo of each kind named in the request."""
    for kind in request["kinds"]:
        undo.disarm(kind)
    return {"confirmed": request["kinds"]}

"""Who did not answer in time: the first late answer counts for all questions to the same place in one look.

A port that takes connections and is silent, or a container whose program hangs, would otherwise be waited for once by
each reading and each resource that asks it, until nothing is known of the whole host.
"""

from __future__ import annotations

from keybuzz.agent import parts
from keybuzz.agent.wire.http import LateAnswerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEEPEST = 8
"""Errors behind an error that are looked at."""


class Silence:
    """The places that were silent since something was last written."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}

    def of(self, query: dict[str, Any]) -> str:
        """Return why this question is not asked; empty when it is."""
        place = place_of(query)
        why = self._why.get(place, "") if place else ""
        return f"{place} is silent, and was asked no more in this look: {why}" if why else ""

    def note(self, query: dict[str, Any], error: BaseException) -> None:
        """Remember the place when it is for want of time that it did not answer."""
        place = place_of(query)
        if place and is_late(error):
            self._why.setdefault(place, getattr(error, "what", "") or str(error) or "timed out")

    def forget(self) -> None:
        """Ask all again."""
        self._why.clear()


def place_of(query: dict[str, Any]) -> str:
    """Return whom a question is for, such as `10.0.0.111:5672`; empty when nothing it asks could be silent."""
    access = query.get("access")
    asked = access if isinstance(access, dict) else query
    _, place = parts.table(parts.PLACES).get(query["kind"], ("", ""))
    if place:
        return str(place).format_map(asked)
    if asked.get("address") and asked.get("port"):
        return f"{asked['address']}:{asked['port']}"
    if isinstance(url := asked.get("url"), str) and "://" in url:
        return url.partition("://")[2].partition("/")[0]
    if isinstance(container := asked.get("container"), str) and container:
        return f"container {container}"
    if query["kind"] == "socket":
        return str(query["path"])
    return ""


def is_late(error: BaseException) -> bool:
    """Return whether an error, or one behind it, says that time was over."""
    seen: BaseException | None = error
    for _ in range(_DEEPEST):
        if seen is None:
            return False
        if isinstance(seen, TimeoutError | LateAnswerError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False

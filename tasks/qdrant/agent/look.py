"""What a node of Qdrant says of itself, over HTTP."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 3.0
_GOOD, _REFUSED = 200, (401, 403)


def answer_qdrant(query: dict[str, Any]) -> dict[str, Any]:
    """Return version, readiness, whether it takes the key, and whether it refuses what has none."""
    where = f"{query['address']}:{query['port']}"
    about = _ask(where, "/").json()
    listed = _ask(where, "/collections", {"api-key": query["key"]})
    said = listed.json()
    accepted = listed.status == _GOOD
    if not accepted and listed.status not in _REFUSED:
        raise AgentError(f"Qdrant answers HTTP {listed.status} on {where}")
    return {
        "version": str(about.get("version", "")) if isinstance(about, dict) else "",
        "ready": _ask(where, "/readyz").status == _GOOD,
        "accepted": accepted,
        "reason": "" if accepted else "Qdrant does not take the API key of qdrant.env",
        "guarded": _ask(where, "/collections").status in _REFUSED,
        "collections": _count(said) if accepted else 0,
    }


def _ask(where: str, path: str, headers: dict[str, str] | None = None) -> http.Response:
    try:
        return http.request_url("GET", f"http://{where}{path}", _SECONDS, headers)
    except OSError as error:
        reason = error.strerror or error
        raise AgentError(f"Qdrant does not answer on {where}: {reason}") from None


def _count(said: object) -> int:
    result = said.get("result") if isinstance(said, dict) else None
    found = result.get("collections") if isinstance(result, dict) else None
    return len(found) if isinstance(found, list) else 0

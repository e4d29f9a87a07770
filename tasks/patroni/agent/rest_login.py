"""Whether Patroni's REST interface takes a password, by a request that needs it and changes nothing.

Patroni looks at the password before the body, and an empty change is no change to it: it answers 401 to a wrong
password and 400 to the right one (3.3.0: `check_access` before `do_PATCH_config`, `_read_json_content`).
"""

from __future__ import annotations

import base64

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TIMEOUT = 5.0
_NO_CHANGE = b"{}"
_UNAUTHORIZED, _TAKEN = 401, 400


def answer_patroni_login(query: dict[str, Any]) -> dict[str, object]:
    """Return {"accepted": bool, "reason": str}; an interface that asks for no password has proven nothing."""
    if _status(query["url"], {}) != _UNAUTHORIZED:
        return {"accepted": False, "reason": "Patroni does not ask for a password"}
    token = base64.b64encode(f"{query['user']}:{query['password']}".encode()).decode()
    status = _status(query["url"], {"Authorization": f"Basic {token}"})
    if status not in (_UNAUTHORIZED, _TAKEN):
        raise AgentError(f"Patroni answers {status} to a change of nothing")
    accepted = status == _TAKEN
    return {"accepted": accepted, "reason": "" if accepted else "Patroni refuses the password"}


def _status(url: str, headers: dict[str, str]) -> int:
    sent = {"Content-Type": "application/json", **headers}
    return http.request_url("PATCH", f"{url}/config", _TIMEOUT, sent, _NO_CHANGE).status

"""K3s: whether the cluster on this host was made with the token of the store."""

from __future__ import annotations

import hmac

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

LIVE = "/var/lib/rancher/k3s/server/token"
_LONGEST = 4096


def read_k3s_token(query: Query, context: Context) -> State:
    """Compare the token of the server on this host; one that has made none yet contradicts nothing."""
    del context
    try:
        live = opener.head(LIVE, _LONGEST, final=True).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return {"present": True, "attributes": {"token_matches": True}}
    same = hmac.compare_digest(_own(live).encode(), _own(query["token"]).encode())
    return {"present": True, "attributes": {"token_matches": same}}


def _own(token: str) -> str:
    """Return the secret part: K3s writes `K10<hash of its authority>::<user>:<secret>`."""
    if not token.startswith("K10"):
        return token
    return token.partition("::")[2].partition(":")[2]


def write_k3s_token(order: Query, context: Context) -> None:
    """Refuse: a server with another token does not start again."""
    raise AgentError("the token of a cluster is never changed", "", outcome="refused")

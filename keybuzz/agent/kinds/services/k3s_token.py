"""K3s: whether the cluster on this host has the token of the store, and a new one for it."""

from __future__ import annotations

import hmac
import sys

from keybuzz.agent.guard import opener
from keybuzz.agent.readings import k3s
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

LIVE = "/var/lib/rancher/k3s/server/token"
_LONGEST = 4096
_PATH = "/v1-k3s/token"
_PATIENCE = 60.0
"""Seconds: everything that is sealed is written again."""


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


def read_k3s_token_rotated(query: Query, context: Context) -> State:
    """Return whether the server on this host has the new token."""
    return read_k3s_token(query, context)


def write_k3s_token_rotated(order: Query, context: Context) -> None:
    """Do what `k3s token rotate` does, by the same request: its new token would stand on a command line."""
    if read_k3s_token(order, context)["attributes"]["token_matches"]:
        return
    live = _own(opener.head(LIVE, _LONGEST, final=True).decode().strip())
    status, said = _put(live, _own(order["token"]))
    if status != 200:
        raise AgentError(
            f"K3s takes no new token: {status} {said}",
            # Upstream writes the file before the datastore (pkg/server/handlers/token.go).
            "the file of the token may be new and the datastore not: restart no master before journalctl -u k3s says "
            "which; a snapshot of before is in /var/lib/rancher/k3s/server/db/snapshots",
        )


def _put(live: str, new: str) -> tuple[int, str]:
    """Send it with the token of now and no certificate: the administrator is not let in here."""
    import base64
    import json
    import ssl
    from http.client import HTTPException, HTTPSConnection

    login = base64.b64encode(f"server:{live}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    sys.audit("kbz.http", "PUT", _PATH)
    try:
        context = ssl.create_default_context(cafile=f"{k3s.TLS}/server-ca.crt")
        connection = HTTPSConnection(k3s.ADDRESS, k3s.PORT, timeout=_PATIENCE, context=context)
        try:
            connection.request("PUT", _PATH, json.dumps({"newToken": new}), headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_LONGEST).decode("utf-8", "replace").strip()[:200]
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        raise AgentError(f"K3s does not answer: {error or type(error).__name__}") from None

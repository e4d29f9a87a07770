"""K3s: whether the cluster on this host has the token of the store, and a new one for it."""

from __future__ import annotations

import hmac
import sys

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime import atomic
from keybuzz.agent.runtime.errors import AgentError
from tasks.k3s.agent import api as k3s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

LIVE = "/var/lib/rancher/k3s/server/token"
_OPEN = "rotating"
"""Word of the mark that a new token was sent, and K3s has not confirmed it."""
_LONGEST = 4096
_PATH = "/v1-k3s/token"
_PATIENCE = 60.0
"""Seconds: everything that is sealed is written again."""


def read_k3s_token(query: Query, context: Context) -> State:
    """Compare the token of the server on this host; one that has made none yet contradicts nothing.

    A file that was written by a rotation which K3s has not confirmed says nothing of the cluster.
    """
    try:
        live = _live()
    except FileNotFoundError:
        return {"present": True, "attributes": {"token_matches": True, "unproven": False}}
    same = hmac.compare_digest(live.encode(), _own(query["token"]).encode())
    before = _before()
    unproven = bool(before) and before != context.digest(live.encode(), secret=True)
    matches = same and not unproven
    return {"present": True, "attributes": {"token_matches": matches, "unproven": unproven}}


def _before() -> str:
    """Return the keyed digest of the token before a rotation that is not confirmed; empty without one."""
    try:
        return opener.head(atomic.beside(LIVE, _OPEN), _LONGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _live() -> str:
    return _own(opener.head(LIVE, _LONGEST, final=True).decode("utf-8", "replace").strip())


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
    """Do what `k3s token rotate` does, by the same request: its new token would stand on a command line.

    K3s writes passwords and file before it seals the datastore (pkg/server/handlers/token.go), so that its file proves
    nothing until it has answered 200. From before the request until then a mark of the old one lies beside the file.
    """
    found = read_k3s_token(order, context)["attributes"]
    if found["token_matches"]:
        return
    again = bool(_before())
    new, former = _own(order["token"]), _own(order["former"])
    if not _before():
        now = context.digest(_live().encode(), secret=True)
        atomic.replace(atomic.beside(LIVE, _OPEN), now.encode())
    known = (former, new)
    status, said = _told(new, known)
    if again and status not in (200, 401) and former:
        # The new token a second time is confirmed only where the datastore is sealed with it. Otherwise the former one
        # makes the file agree with the datastore again, and the change is made again.
        status, said = _told(former, known)
        if status == 200:
            status, said = _told(new, known)
    if status != 200:
        raise AgentError(
            f"K3s takes no new token: {status} {said}",
            "the file of the token may be new and the datastore not: restart no master; the same command again tells "
            "and mends it; a snapshot of before is in /var/lib/rancher/k3s/server/db/snapshots",
        )
    atomic.discard(atomic.beside(LIVE, _OPEN))


def _told(new: str, known: tuple[str, str]) -> tuple[int, str]:
    """Send a token, with the one of the file; the server may still know the one that it started with only."""
    logins = dict.fromkeys(login for login in (_live(), *known) if login)
    status, said = 401, ""
    for login in logins:
        status, said = _put(login, new)
        if status != 401:
            break
    return status, said


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

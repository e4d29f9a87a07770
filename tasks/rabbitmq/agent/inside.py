"""Users and vhosts of a RabbitMQ cluster, over the management API of the host's own node."""

from __future__ import annotations

import base64
import json

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_SHOWN = 120
_ANSWER = 10.0
"""Seconds: a new vhost is started on every node before the answer."""


def inside(access: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return {"users": {name: {"hash", "algorithm", "tags"}}, "vhosts": [name], "permitted": {user: [vhost]}}.

    It is read once for all resources of a request. `permitted` are the vhosts in which a user may do everything.
    """
    found: dict[str, Any] = context.once("rabbitmq inside", lambda: _inside(access))
    return found


def _inside(access: dict[str, Any]) -> dict[str, Any]:
    permitted: dict[str, list[str]] = {}
    for item in listed(access, "/api/permissions"):
        if [item.get(what) for what in ("configure", "write", "read")] == [".*"] * 3:
            permitted.setdefault(str(item.get("user")), []).append(str(item.get("vhost")))
    return {
        "users": {
            str(item.get("name")): {
                "hash": str(item.get("password_hash") or ""),
                "algorithm": str(item.get("hashing_algorithm") or ""),
                "tags": _tags(item.get("tags")),
            }
            for item in listed(access, "/api/users")
        },
        "vhosts": sorted(str(item.get("name")) for item in listed(access, "/api/vhosts")),
        "permitted": permitted,
    }


def answer_rabbitmq_names(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what a controller may see: {"users": {name: [tag]}, "vhosts": [name], "rules": {identity: meaning}}."""
    access = query["access"]
    found = inside(access, context)
    users = {name: item["tags"] for name, item in found["users"].items()}
    return {"users": users, "vhosts": found["vhosts"], "rules": dict(_rules(access))}


def _rules(access: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield policies, limits and tracing: each changes what queues keep, or who gets in."""
    for kind, path in (("policy", "policies"), ("operator-policy", "operator-policies")):
        for item in listed(access, f"/api/{path}"):
            name, place = item.get("name"), item.get("vhost")
            what = json.dumps(item.get("definition"), sort_keys=True)[:_SHOWN]
            yield f"{kind}:{name} in {place}", f"policy for {item.get('pattern')}: {what}"
    for whose in ("vhost", "user"):
        for item in listed(access, f"/api/{whose}-limits"):
            if item.get("value"):
                what = json.dumps(item.get("value"), sort_keys=True)[:_SHOWN]
                yield f"limit:{whose} {item.get(whose)}", f"limit of RabbitMQ: {what}"
    for item in listed(access, "/api/vhosts"):
        if item.get("tracing") is True:
            yield f"tracing:{item.get('name')}", "each message is copied, content and all"


def put(access: dict[str, Any], path: str, body: dict[str, object]) -> None:
    """Create or replace one object; AgentError when RabbitMQ does not take it."""
    answer = _call(access, "PUT", path, json.dumps(body).encode())
    if answer.status not in (200, 201, 204):
        raise AgentError(
            f"RabbitMQ answers {answer.status} to PUT {path}", "docker logs --tail 20 rabbitmq"
        )


def segment(name: str) -> str:
    """Return a name as one part of a path; the vhost `/` has no other form."""
    return quote(name).replace("/", "%2F")


def _tags(found: object) -> list[str]:
    if isinstance(found, str):  # before 3.9
        return [tag for tag in found.split(",") if tag]
    return [str(tag) for tag in found] if isinstance(found, list) else []


def listed(access: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return the objects of a list; AgentError when there is none."""
    answer = _call(access, "GET", path)
    found = answer.json()
    if answer.status == 401:
        raise AgentError(f"RabbitMQ does not let {access['user']} in")
    if answer.status != 200 or not isinstance(found, list):
        raise AgentError(f"RabbitMQ answered {path} with status {answer.status}")
    return [item for item in found if isinstance(item, dict)]


def _call(access: dict[str, Any], method: str, path: str, body: bytes = b"") -> http.Response:
    login = base64.b64encode(f"{access['user']}:{access['password']}".encode()).decode()
    where = f"{access['address']}:{access['port']}"
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    try:
        return http.request_url(method, f"http://{where}{path}", _ANSWER, headers, body)
    except OSError as error:
        reason = error.strerror or error
        raise AgentError(f"RabbitMQ does not answer on {where}: {reason}") from None

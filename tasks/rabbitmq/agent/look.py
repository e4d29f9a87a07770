"""A RabbitMQ node, read over the management API of its own host; a fresh one by rabbitmqctl in its container.

`look` answers {"denied", "members", "running", "partitions", "alarms", "critical", "users", "queues", "lacking",
"apart", "drained", "classic", "permitted", "cluster_name", "version", "listeners"}; `denied` is true where our user
is not let in, and then what only he may see is empty. It is read at most once in a request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_ANSWER = 5.0
_COMMAND = 60.0
"""Seconds: a rabbitmqctl starts a whole Erlang machine."""
_NODES = "/api/nodes?columns=name,running,partitions,being_drained"
_QUEUES = "/api/queues?columns=name,vhost,type,members,durable,messages"
_CRITICAL = "/api/health/checks/node-is-quorum-critical"
_ALARMS = "/api/health/checks/alarms"


class _DeniedError(Exception):
    """The node does not know our user, or knows another password."""


def answer_rabbitmq(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what `look` does: the reading `rabbitmq`."""
    return look(query["access"], context)


def look(access: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what the node says; AgentError when it does not answer."""
    found: dict[str, Any] = context.once("rabbitmq", lambda: _look(access, context))
    return found


def _look(access: dict[str, Any], context: Context) -> dict[str, Any]:
    try:
        overview = _get(access, "/api/overview")
    except _DeniedError:
        return _from_inside(access, context)
    nodes = _get(access, _NODES)
    queues = _get(access, _QUEUES)
    user = quote(access["user"]).replace("/", "%2F")
    mine = access["node"]
    return {
        "denied": False,
        "ours": True,
        "members": sorted(node["name"] for node in nodes),
        "running": sorted(node["name"] for node in nodes if node.get("running")),
        "partitions": sorted({other for node in nodes for other in node.get("partitions") or []}),
        "alarms": _complaints(access, _ALARMS, "alarms", "resource"),
        "critical": _complaints(access, _CRITICAL, "queues", "readable_name"),
        "users": {item["name"]: _tags(item["tags"]) for item in _get(access, "/api/users")},
        "queues": len(queues),
        "lacking": sorted(q["name"] for q in queues if _lacks(q, mine)),
        "apart": sorted(
            other
            for node in nodes
            if node["name"] == mine
            for other in node.get("partitions") or []
        ),
        "drained": sorted(node["name"] for node in nodes if node.get("being_drained") is True),
        "classic": sorted(q["name"] for q in queues if _on_one_node(q))[:100],
        "permitted": _all_of(_get(access, f"/api/users/{user}/permissions")),
        "cluster_name": str(overview.get("cluster_name", "")),
        "version": str(overview.get("rabbitmq_version", "")),
        "listeners": _listeners(overview, mine),
    }


def _get(access: dict[str, Any], path: str, good: tuple[int, ...] = (200,)) -> Any:
    login = base64.b64encode(f"{access['user']}:{access['password']}".encode()).decode()
    where = f"{access['address']}:{access['port']}"
    try:
        url = f"http://{where}{path}"
        answer = http.request_url("GET", url, _ANSWER, {"Authorization": f"Basic {login}"})
    except OSError as error:
        reason = error.strerror or error
        raise AgentError(f"RabbitMQ does not answer on {where}: {reason}") from None
    if answer.status == 401:
        raise _DeniedError
    found = answer.json()
    if answer.status not in good or found is None:
        raise AgentError(f"RabbitMQ answered {path.partition('?')[0]} with status {answer.status}")
    return found


def _complaints(access: dict[str, Any], path: str, many: str, each: str) -> list[str]:
    """Return what a health check of the API complains about; it answers 503 when it does."""
    found = _get(access, path, (200, 503))
    if found.get("status") == "ok":
        return []
    named = found.get(many)
    items = [item for item in named if isinstance(item, dict)] if isinstance(named, list) else []
    return sorted(str(item.get(each, item)) for item in items) or [str(found.get("reason", path))]


def _lacks(queue: dict[str, Any], node: str) -> bool:
    members = queue.get("members")
    return queue.get("type") == "quorum" and isinstance(members, list) and node not in members


def _on_one_node(queue: dict[str, Any]) -> bool:
    """Return whether a queue keeps messages that are meant to last, and keeps them on one node only."""
    return (
        queue.get("type") == "classic"
        and queue.get("durable") is True
        and isinstance(queue.get("messages"), int)
        and queue["messages"] > 0
    )


def _tags(found: Any) -> list[str]:
    return found.split(",") if isinstance(found, str) else [str(tag) for tag in found]


def _all_of(permissions: Any) -> bool:
    return any(
        item.get("vhost") == "/"
        and [item.get(what) for what in ("configure", "write", "read")] == [".*"] * 3
        for item in permissions
    )


def _listeners(overview: Any, node: str) -> list[str]:
    return sorted(
        f"{item['ip_address']}:{item['port']}"
        for item in overview.get("listeners", [])
        if item.get("node") == node
    )


def _from_inside(access: dict[str, Any], context: Context) -> dict[str, Any]:
    """Ask a node that does not let us in: it is fresh, or its user has another password."""
    status = json_of(access, context, "rabbitmqctl", "cluster_status")
    definitions = json_of(access, context, "rabbitmqctl", "export_definitions", "-")
    return {
        "denied": True,
        "ours": has_password(definitions["users"], access["user"], access["password"]),
        "members": sorted(status["disk_nodes"]),
        "running": sorted(status["running_nodes"]),
        "partitions": sorted(status.get("partitions") or {}),
        "alarms": [str(item) for item in status.get("alarms") or []],
        "critical": [],
        "users": {item["name"]: _tags(item["tags"]) for item in definitions["users"]},
        "queues": len(definitions["queues"]),
        "lacking": [],
        "apart": sorted(status.get("partitions", {}).get(access["node"]) or [])
        if isinstance(status.get("partitions"), dict)
        else [],
        "drained": [],
        "classic": [],
        "permitted": False,
        "cluster_name": str(status.get("cluster_name", "")),
        "version": str(definitions.get("rabbitmq_version", "")),
        "listeners": [],
    }


def json_of(access: dict[str, Any], context: Context, program: str, *words: str) -> Any:
    """Run a program that only reads and return its JSON."""
    formatter = "--format" if words[0] == "export_definitions" else "--formatter"
    text = run(access, context, [program, "-q", *words, formatter, "json"])
    try:
        return json.loads(text[text.index("{") :])
    except ValueError:
        raise AgentError(f"{program} {words[0]} answered no JSON") from None


def run(
    access: dict[str, Any],
    context: Context,
    argv: list[str],
    stdin: str = "",
    timeout: float = _COMMAND,
) -> str:
    """Run a program in the node's container as its own user; AgentError with its complaint when it fails."""
    code, stdout, stderr = context.docker.execute(
        access["container"], argv, stdin.encode(), timeout=timeout, user="rabbitmq"
    )
    if code != 0:
        said = [line for line in (stdout + stderr).decode(errors="replace").splitlines() if line]
        what = next((line for line in said if "rror" in line), said[-1] if said else "")
        raise AgentError(f"{' '.join(argv[:3])} ended with {code}: {what}")
    return stdout.decode(errors="replace")


def has_password(users: list[dict[str, Any]], name: str, password: str) -> bool:
    """Return whether a user's stored hash is the one of this password: a user without a tag is denied all the same."""
    user = next((item for item in users if item["name"] == name), {})
    algorithm = "sha512" if "sha512" in str(user.get("hashing_algorithm")) else "sha256"
    try:
        stored = base64.b64decode(str(user.get("password_hash", "")), validate=True)
    except ValueError:
        return False
    expected = hashlib.new(algorithm, stored[:4] + password.encode()).digest()
    return len(stored) > 4 and hmac.compare_digest(stored[4:], expected)

"""Patroni's own interface: cluster-wide settings, and who leads."""

from __future__ import annotations

import base64
import json
import os
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context


def _request(order: Query, method: str, path: str, body: object, timeout: float) -> http.Response:
    token = base64.b64encode(f"{order['username']}:{order['password']}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    return http.request_url(
        method, order["url"] + path, timeout, headers, json.dumps(body).encode()
    )


def _get(url: str) -> Any:
    try:
        return http.request_url("GET", url, 3.0).json()
    except OSError as error:
        raise AgentError(f"Patroni does not answer: {error.strerror or error}", "") from None


def read_patroni_settings(query: Query, context: Context) -> State:
    """Read the settings in Patroni's store that the description names."""
    found = _get(query["url"] + "/config")
    if not isinstance(found, dict):
        raise AgentError("Patroni has no settings in its store yet", "")
    return {
        "present": True,
        "attributes": {path: json.dumps(_look_up(found, path)) for path in query["settings"]},
    }


def _look_up(settings: Any, path: str) -> object:
    for part in path.split("."):
        if not isinstance(settings, dict) or part not in settings:
            return None
        settings = settings[part]
    return settings


def write_patroni_settings(order: Query, context: Context) -> None:
    """Patch exactly these settings; all others stay."""
    patch: dict[str, Any] = {}
    for path, value in order["values"].items():
        *parents, last = path.split(".")
        level = patch
        for part in parents:
            level = level.setdefault(part, {})
        level[last] = value
    response = _request(order, "PATCH", "/config", patch, 15.0)
    if response.status >= 300:
        raise AgentError(f"Patroni refused the settings (status {response.status})", "")


def read_patroni_identity(query: Query, context: Context) -> State:
    """Read scope and data version of what lives here; where nothing does, nothing contradicts."""
    found = {"scope": query["scope"], "postgres_major": query["postgres_major"]}
    try:
        own = http.request_url("GET", query["url"] + "/patroni", 3.0).json()
    except (OSError, AgentError):
        own = None
    if isinstance(own, dict) and "patroni" in own:
        found["scope"] = own["patroni"].get("scope", found["scope"])
    try:
        version = opener.text(os.path.join(query["data"], "PG_VERSION"), opener.SMALL)
        found["postgres_major"] = version.strip()
    except FileNotFoundError:
        pass
    if system := _system_identifier(query["data"]):
        found["system"] = system
    return {"present": True, "attributes": found}


def _system_identifier(data: str) -> str:
    """Return the number that initdb gave the cluster, which is the head of pg_control; empty without data."""
    try:
        head = opener.head(os.path.join(data, "global", "pg_control"), 8)
    except FileNotFoundError:
        return ""
    return str(int.from_bytes(head, "little")) if len(head) == 8 else ""


def write_patroni_identity(order: Query, context: Context) -> None:
    """Refuse: a cluster's identity is adopted, never written."""
    raise AgentError("the identity of a cluster is never changed", "adopt it", outcome="refused")


def read_patroni_leader(query: Query, context: Context) -> State:
    """Return whether this member leads."""
    status = http.request_url("GET", query["url"] + "/primary", 3.0).status
    return {"present": True, "attributes": {"leads": status == 200}}


def write_patroni_leader(order: Query, context: Context) -> None:
    """Hand the lead over to a healthy replica, gracefully, and wait until this member no longer leads."""
    response = _request(order, "POST", "/switchover", {"leader": order["name"]}, 60.0)
    if response.status >= 300:
        raise AgentError(
            f"Patroni refused the switchover: {response.body[:200].decode(errors='replace')}",
            "look at kbz health patroni",
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not read_patroni_leader(order, context)["attributes"]["leads"]:
            return
        time.sleep(0.5)
    raise AgentError("the switchover was accepted, but this member still leads after 60 s", "")

"""Patroni's own interface: cluster-wide settings, and who leads."""

from __future__ import annotations

import base64
import hmac
import json
import math
import os
import re
import stat
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from keybuzz.agent.wire.docker import DockerUnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_CONFIGURATION = "/etc/patroni/patroni.yml"
_NAMESPACE = re.compile(r"^namespace:\s*[\"']?([^\s\"'#]+)", re.M)
_VOTING = re.compile(r"^\s+self_addr:\s*[\"']?[^\s\"'#]+:(\d+)", re.M)
_REST = re.compile(r"^restapi[ \t]*:.*\n?(?:(?:[ \t#].*)?\n)*(?:[ \t].*)?", re.M)
"""The interface's own block: up to the next line that begins without a space."""
_QUOTED = r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|{})"""
_REST_PASSWORD = (
    re.compile(r"^[ \t]+password[ \t]*:[ \t]*" + _QUOTED.format(r"[^\s#].*"), re.M),
    re.compile(
        r"""(?<![\w-])["']?password["']?[ \t]*:[ \t]*""" + _QUOTED.format(r"[^\s,}#][^,}\n]*")
    ),
)
"""On a line of its own, or between braces."""
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_SLOT_BOUND = "max_slot_wal_keep_size"
_KB = {"kB": 1, "MB": 1 << 10, "GB": 1 << 20, "TB": 1 << 30}
_SIZE = re.compile(rf"\s*(-1|\d+)\s*({'|'.join(_KB)})?\s*")
"""How PostgreSQL writes a size; a number alone is of MB for this setting."""


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
        "attributes": {path: _text(_look_up(found, path)) for path in query["settings"]},
    }


def _look_up(settings: Any, path: str) -> object:
    for part in path.split("."):
        if not isinstance(settings, dict) or part not in settings:
            return None
        settings = settings[part]
    return settings


def _text(value: object) -> str:
    """Return a setting as JSON, and text that is a number as the number: Patroni holds 50 and "50" to be the same.

    It keeps the one that is there when the other is written.
    """
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else json.dumps(value)


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


def read_patroni_slot(query: Query, context: Context) -> State:
    """Read the permanent slot in Patroni's store, and what slots may keep, from the first member that answers."""
    found = _get(_answering(query["urls"]) + "/config")
    slot = _look_up(found, f"slots.{query['name']}")
    if not isinstance(slot, dict):
        return {"present": False, "attributes": {}}
    most = _look_up(found, f"postgresql.parameters.{_SLOT_BOUND}")
    if _bound(most) >= _bound(query["most"]):
        most = query["most"]  # a larger one is the owner's, and no difference
    kind = slot.get("type")
    return {
        "present": True,
        "attributes": {
            "type": kind if isinstance(kind, str) else "",
            "most": most if isinstance(most, str) else "",
        },
    }


def write_patroni_slot(order: Query, context: Context) -> None:
    """Ask Patroni to keep the slot, and to bound what slots keep where no larger bound is set; nothing else changes."""
    url = _answering(order["urls"])
    body: dict[str, Any] = {"slots": {order["name"]: {"type": "physical"}}}
    most = _look_up(_get(url + "/config"), f"postgresql.parameters.{_SLOT_BOUND}")
    if _bound(most) < _bound(order["most"]):
        body["postgresql"] = {"parameters": {_SLOT_BOUND: order["most"]}}
    asked = {**order, "url": url}
    response = _request(asked, "PATCH", "/config", body, 15.0)
    if response.status >= 300:
        raise AgentError(f"Patroni refused the slot (status {response.status})", "")


def _bound(value: object) -> float:
    """Return a size of PostgreSQL's in kB, infinite for -1 (no bound); -1 where none is set or understood."""
    found = _SIZE.fullmatch(str(value))
    if isinstance(value, bool) or found is None:
        return -1.0
    number, unit = int(found[1]), found[2] or "MB"
    return math.inf if number == -1 else float(number * _KB[unit])


def _answering(urls: list[str]) -> str:
    """Return the first address behind which Patroni answers; AgentError with the last reason when none does."""
    reason = "no member is described"
    for url in urls:
        try:
            if http.request_url("GET", url + "/patroni", 3.0).status < 600:
                return url
        except OSError as error:
            reason = error.strerror or str(error)
        except AgentError as error:  # it takes connections, and is silent or breaks off
            reason = error.what
    raise AgentError(f"no member's Patroni answers: {reason}", "")


def read_patroni_identity(query: Query, context: Context) -> State:
    """Read scope, place in the store and data version of what lives here; where nothing does, nothing contradicts."""
    found = {
        **{name: query[name] for name in ("scope", "postgres_major", "namespace", "raft_port")},
        **_place_in_store(query["container"], context),
    }
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


def _place_in_store(container: str, context: Context) -> dict[str, object]:
    """Return namespace and RAFT port by the configuration that a container was made with; nothing where none is.

    A member that is given others than its partners have finds an empty store, and would found a second cluster.
    """
    text, told = _given(container, context)
    if text is None:
        return {}
    namespace = told.get("PATRONI_NAMESPACE") or _first(_NAMESPACE, text) or "service"
    voting = told.get("PATRONI_RAFT_SELF_ADDR", "").rpartition(":")[2] or _first(_VOTING, text)
    return {
        "namespace": f"/{namespace.strip('/')}/",
        "raft_port": int(voting) if voting.isdecimal() else 0,
    }


def _given(container: str, context: Context) -> tuple[str | None, dict[str, str]]:
    """Return the configuration that a container was made with, None without one, and its variables."""
    try:
        made = context.docker.inspect(container)
    except DockerUnavailableError:
        return None, {}
    if made is None:
        return None, {}
    told = dict(item.split("=", 1) for item in made["Config"]["Env"] or [] if "=" in item)
    words = made["Config"]["Cmd"] or []
    inside = next((word for word in words if word.endswith((".yml", ".yaml"))), _CONFIGURATION)
    source = _on_host(inside, made["Mounts"])
    if not source:
        return None, told
    try:
        if stat.S_ISDIR(opener.status(source).st_mode):
            # Docker makes one in the place of a file that is missing: nothing is configured by it.
            return None, told
        return opener.text(source, opener.SMALL), told
    except FileNotFoundError:
        return None, told


def _on_host(inside: str, mounts: list[dict[str, str]]) -> str:
    """Return where a file of a container lies on the host; empty when it is the image's own."""
    for mount in mounts:
        if inside == mount["Destination"] or inside.startswith(f"{mount['Destination']}/"):
            return mount["Source"] + inside[len(mount["Destination"]) :]
    return ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


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


def read_patroni_rest_password(query: Query, context: Context) -> State:
    """Compare the password of the member that lives here; where none does, or it asks for none, nothing contradicts."""
    text, told = _given(query["name"], context)
    live = told.get("PATRONI_RESTAPI_PASSWORD") or _rest_password(text or "")
    own = live.encode("utf-8", "surrogatepass")
    same = not own or hmac.compare_digest(own, query["password"].encode())
    return {"present": True, "attributes": {"password_matches": same}}


def _rest_password(text: str) -> str:
    """Return the password that a configuration gives the REST interface; empty without one."""
    block = _REST.search(text)
    lines = (line for line in (block[0] if block else "").split("\n"))
    kept = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found = next(filter(None, (pattern.search(kept) for pattern in _REST_PASSWORD)), None)
    value = found[1] if found else ""
    if value.startswith("'"):
        return value[1:-1].replace("''", "'")
    if not value.startswith('"'):
        plain = value.partition(" #")[0].strip()
        return "" if plain in ("~", "null") else plain
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]


def write_patroni_rest_password(order: Query, context: Context) -> None:
    """Refuse: the members take another one from their file, in a rotation."""
    raise AgentError("the password of a living member is never changed", "", outcome="refused")


def read_patroni_leader(query: Query, context: Context) -> State:
    """Return whether this member leads."""
    status = http.request_url("GET", query["url"] + "/primary", 3.0).status
    return {"present": True, "attributes": {"leads": status == 200}}


def write_patroni_leader(order: Query, context: Context) -> None:
    """Hand the lead over to a healthy replica, or the one that is named, and wait until this member no longer leads."""
    wish = {"leader": order["name"], **({"candidate": order["heir"]} if order["heir"] else {})}
    response = _request(order, "POST", "/switchover", wish, 60.0)
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

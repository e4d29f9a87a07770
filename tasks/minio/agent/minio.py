"""MinIO: whose drive it is, aliases of mc, and the bucket. Drives and aliases are read and never written."""

from __future__ import annotations

import json
import os
import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from tasks.minio.agent.look import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_SYSTEM = ".minio.sys"
_NOTHING = frozenset({_SYSTEM, "lost+found"})
"""What may lie on an empty drive: a new file system has lost+found, and a start that was cut off a folder for tmp."""
_DELIVERED = {
    "gcs": "storage.googleapis.com",
    "play": "play.min.io",
    "s3": "s3.amazonaws.com",
}
"""Aliases that mc brings along, which lead to no data of ours."""
_ENABLE = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)


def read_minio_drive(query: Query, context: Context) -> State:
    """Say what lies there: nothing, a drive of MinIO with its place in the set, or something else."""
    path = query["name"]
    names = set(opener.names(path)) if opener.is_folder(path) else set()
    found: dict[str, Any] = {
        "usable": True,
        "found": "empty",
        "format": "",
        "deployment": "",
        "place": 0,
        "size": 0,
    }
    try:
        form = opener.text(os.path.join(path, _SYSTEM, "format.json"), opener.SMALL)
        found.update(_identity(form, query["formats"]))
    except (FileNotFoundError, NotADirectoryError):
        found.update(_without_format(path, names))
    return {"present": True, "attributes": {**found, "mounted": os.path.ismount(path)}}


def _identity(text: str, loaded: list[str]) -> dict[str, Any]:
    try:
        form = json.loads(text)
        sets = form["xl"]["sets"]
        kind = "/".join((form["version"], form["format"], form["xl"]["version"]))
        places = [this for members in sets for this in members]
        own = form["xl"]["this"]
    except (ValueError, KeyError, TypeError):
        return _unusable(f"a format.json {_kind(text)}")
    if kind not in loaded:
        return {**_unusable(f"a format.json of version {kind}"), "format": kind}
    if own not in places or len(sets) != 1:
        return _unusable("a format.json whose drive has no place in one set")
    return {
        "found": "minio",
        "format": kind,
        "deployment": str(form["id"]),
        "place": places.index(own) + 1,
        "size": len(places),
    }


def _kind(text: str) -> str:
    """Name an older layout, such as `fs` of a single node."""
    try:
        return f"of kind {json.loads(text)['format']}"
    except (ValueError, KeyError, TypeError):
        return "that says nothing"


def _without_format(path: str, names: set[str]) -> dict[str, Any]:
    if other := sorted(names - _NOTHING):
        return _unusable(
            f"no format.json, and {', '.join(other[:3])}{' …' if len(other) > 3 else ''}"
        )
    inside = opener.names(os.path.join(path, _SYSTEM)) if _SYSTEM in names else []
    if [name for name in inside if name != "tmp"]:
        return _unusable(f"{_SYSTEM} with {', '.join(inside[:3])}, and no format.json")
    return {}


def _unusable(what: str) -> dict[str, Any]:
    return {"usable": False, "found": what}


def write_minio_drive(order: Query, context: Context) -> None:
    """Refuse: a drive is never formatted, emptied or moved by kbz."""
    raise AgentError("a drive is never changed", "", outcome="refused")


def read_minio_aliases(query: Query, context: Context) -> State:
    """Name aliases that are not the one; no key of any is answered."""
    try:
        aliases = json.loads(opener.text(query["name"], opener.SMALL)).get("aliases") or {}
    except FileNotFoundError:
        aliases = {}
    except (ValueError, AttributeError):
        raise AgentError(f"{query['name']} is not a configuration of mc", "") from None
    others = [
        f"{name} at {_shown(entry)}"
        for name, entry in sorted(aliases.items())
        if not _allowed(name, entry, query)
    ]
    return {"present": True, "attributes": {"others": others}}


def _allowed(name: str, entry: dict[str, Any], query: Query) -> bool:
    url = str(entry.get("url", "")).rstrip("/")
    if name == query["alias"]:
        return bool(url == query["url"])
    if name == "local" and not entry.get("accessKey"):
        return True  # as mc delivers it: without a key it opens nothing
    return name in _DELIVERED and _shown(entry) == _DELIVERED[name]


def _shown(entry: dict[str, Any]) -> str:
    """Return host and port only: a URL may hold a password."""
    return str(entry.get("url", "")).partition("://")[2].rpartition("@")[2].partition("/")[0]


def write_minio_aliases(order: Query, context: Context) -> None:
    """Refuse: whose alias it is only people know."""
    raise AgentError("an alias of mc is never changed", "", outcome="refused")


def read_minio_bucket(query: Query, context: Context) -> State:
    """Return whether the bucket is there, and whether it keeps versions."""
    answer = call(query["access"], "GET", f"/{query['name']}", {"versioning": ""})
    if answer.status == 404:
        return {"present": False, "attributes": {}}
    if answer.status != 200:
        raise AgentError(f"MinIO answers {answer.status} about bucket {query['name']}")
    match = re.search(rb"<Status>(\w+)</Status>", answer.body)
    return {"present": True, "attributes": {"versioning": match[1].decode() if match else "never"}}


def write_minio_bucket(order: Query, context: Context) -> None:
    """Create what is missing, and let it keep versions where it must."""
    path = f"/{order['name']}"
    if not read_minio_bucket(order, context)["present"]:
        _done(call(order["access"], "PUT", path).status, f"bucket {order['name']} was not made")
    if not order.get("versioned", True):
        return
    status = call(order["access"], "PUT", path, {"versioning": ""}, _ENABLE).status
    _done(status, f"bucket {order['name']} does not keep versions")


def _done(status: int, otherwise: str) -> None:
    if status != 200:
        raise AgentError(f"{otherwise}: MinIO answers {status}", "docker logs --tail 20 minio")

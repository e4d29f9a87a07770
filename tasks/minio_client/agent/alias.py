"""The one alias of mc on the controller (MIN-5), in mc's own file; every other alias and key in it stays as it is."""

from __future__ import annotations

import hmac
import json
import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host.files import ABSENT, ownership
from keybuzz.agent.runtime.atomic import replacing
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

VERSION = "10"
"""The form of config.json that mc reads and writes; it converts older ones by itself."""
_MODE = 0o600


def read_minio_alias(query: Query, context: Context) -> State:
    """Compare the alias here: neither its keys nor those of another alias are answered."""
    del context
    path = query["name"]
    try:
        status = opener.status(path)
    except FileNotFoundError:
        return ABSENT
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(f"{path} is {opener.kind_of(status)}, and mc wants a file")
    aliases = _aliases(_parsed(path))
    entry = aliases.get(query["alias"])
    return {
        "present": True,
        "attributes": {
            "url": str(entry.get("url", "")).rstrip("/") if entry else "",
            "credentials": entry is not None and _same(entry, query),
            "others": _others(aliases, query),
            **ownership(status),
        },
    }


def write_minio_alias(order: Query, context: Context) -> None:
    """Put the alias into the file, at once; nothing is written where the file is not of mc's present form."""
    del context
    path = order["name"]
    opener.make_folders(os.path.dirname(path))
    found: dict[str, Any] = {"version": VERSION}
    if opener.is_there(path):
        found = _parsed(path)
    if found.get("version") != VERSION:
        raise AgentError(
            f"{path} has version {str(found.get('version', 'none'))[:20]}, and kbz writes version {VERSION}",
            "mc alias list converts it",
            outcome="refused",
        )
    aliases = found.get("aliases") or {}
    old = _aliases(found).get(order["alias"], {})
    aliases[order["alias"]] = {
        "api": "S3v4",
        "path": "auto",
        **old,
        "url": order["url"],
        "accessKey": order["user"],
        "secretKey": order["password"],
    }
    text = json.dumps({**found, "aliases": aliases}, indent="\t", ensure_ascii=False) + "\n"
    with replacing(path, text.encode(), 0, 0, _MODE):
        pass


def _parsed(path: str) -> dict[str, Any]:
    try:
        found = json.loads(opener.text(path, opener.SMALL))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("aliases") or {}, dict):
        raise AgentError(
            f"{path} is not a configuration of mc", "move it away; mc makes a new one", "refused"
        )
    return found


def _aliases(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    aliases = found.get("aliases") or {}
    return {name: entry for name, entry in aliases.items() if isinstance(entry, dict)}


def _same(entry: dict[str, Any], query: Query) -> bool:
    pairs = (("accessKey", "user"), ("secretKey", "password"))
    return all(
        hmac.compare_digest(str(entry.get(key, "")).encode(), str(query[name]).encode())
        for key, name in pairs
    )


def _others(aliases: dict[str, dict[str, Any]], query: Query) -> list[str]:
    """Name other aliases that lead to the same MinIO: host and port only, because a URL may hold a password."""
    found = []
    for name, entry in sorted(aliases.items()):
        place = str(entry.get("url", "")).partition("://")[2].rpartition("@")[2].partition("/")[0]
        if name != query["alias"] and place.partition(":")[0] in query["nodes"]:
            found.append(f"{name} at {place}")
    return found

"""Looks for copies of credentials on this host. What it finds in them stays here: it answers paths and names."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from glob import glob

from keybuzz.agent.guard import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_LARGEST = 1 << 17
"""Bytes of a file that are looked at: a credential file is small."""
_MOST_FILES = 500
_MOST_WORDS = 5000
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(.*?)\s*$", re.M)
_WORD = re.compile(r"[^\s'\"=,;:@/]{8,}")
_ATTACHED = re.compile(r"(?:^|\s)-[a-zA-Z]([^\s'\"]{8,})")
"""An option with its value in one word, such as -pPASSWORD in the history of a shell."""


def find_copies(query: dict[str, Any], context: Context) -> dict[str, object]:
    """Answer {"copies": [{"path", "uid", "gid", "mode", "names", "current"}], "unread": […], "truncated": bool}.

    `names` are variables of the schema that stand there; `current` are those whose live value stands there; `unread`
    are {"path", "why"} of regular files that may hold some, for they could not be read.
    """
    key = bytes.fromhex(query["key"])
    paths = sorted({path for pattern in query["patterns"] for path in glob(pattern)})
    copies, unread = [], []
    for path in paths[:_MOST_FILES]:
        try:
            copy = _look(path, query, key)
        except (FileNotFoundError, opener.UnsafeFileError):
            continue  # it has gone since, or is no regular file: links and pipes are never followed
        except OSError as error:
            unread.append({"path": path, "why": error.strerror or type(error).__name__})
            continue
        if copy is not None:
            copies.append(copy)
    return {"copies": copies, "unread": unread, "truncated": len(paths) > _MOST_FILES}


def _look(path: str, query: dict[str, Any], key: bytes) -> dict[str, object] | None:
    """Return what a regular file holds, or None when it is no copy."""
    with os.fdopen(opener.opened(path), "rb") as file:
        status = os.fstat(file.fileno())
        text = file.read(_LARGEST).decode("utf-8", "replace")
    assigned = _ASSIGNED.findall(text)
    names = {name for name, _ in assigned} & set(query["names"])
    words = [value.strip("'\"") for _, value in assigned] + _WORD.findall(text)[:_MOST_WORDS]
    words += _ATTACHED.findall(text)[:_MOST_WORDS]
    digests = {hmac.new(key, word.encode(), hashlib.sha256).hexdigest() for word in set(words)}
    current = {name for digest, name in query["digests"].items() if digest in digests}
    if not names and not current and os.path.basename(path) not in query["files"]:
        return None
    return {
        "path": path,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mode": f"{stat.S_IMODE(status.st_mode):o}",
        "names": sorted(names | current),
        "current": sorted(current),
    }

"""Who may log in with an SSH key: every line of every account's authorized_keys. A key is told by its fingerprint."""

from __future__ import annotations

import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = list[str]

PASSWD = "/etc/passwd"
_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
"""Where sshd looks, unless it is told otherwise (AuthorizedKeysFile)."""
_KEY = re.compile(r"(?:^|\s)((?:sk-)?(?:ssh|ecdsa)-[\w@.-]+)\s+([A-Za-z0-9+/]+=*)(?:\s+(\S.*))?$")
_LONGEST = 60


def keys() -> list[Row]:
    """Return account, fingerprint and meaning of each key; a file that cannot be read is in the place of its keys."""
    rows: list[Row] = []
    for account, home in _accounts():
        for name in _FILES:
            path = f"{home.rstrip('/')}/{name}"
            try:
                text = opener.text(path, opener.SMALL, final=True)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except AgentError as error:
                rows.append([account, path, f"cannot be read: {error.what}"])
                continue
            except OSError as error:
                rows.append([account, path, f"cannot be read: {os_error_text(error)}"])
                continue
            rows += [[account, *found] for line in text.splitlines() if (found := _key(line))]
    return sorted(rows)


def _accounts() -> Iterator[tuple[str, str]]:
    for line in opener.text(PASSWD, opener.LARGE, final=True).splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[5].startswith("/"):
            yield fields[0], fields[5]


def _key(line: str) -> tuple[str, str] | None:
    """Return fingerprint and meaning; None for a comment, and for what sshd takes for no key either."""
    from base64 import b64decode, b64encode  # hosts without keys of others need neither
    from hashlib import sha256

    found = None if line.lstrip().startswith("#") else _KEY.search(line.strip())
    if found is None:
        return None
    try:
        blob = b64decode(found[2], validate=True)
    except ValueError:
        return None
    fingerprint = "SHA256:" + b64encode(sha256(blob).digest()).decode().rstrip("=")
    # Options may hold a command with a password in it: that there are some is enough.
    options = " with options of its own" if found.start(1) > 0 else ""
    return fingerprint, f"{found[1]} {(found[3] or 'without a comment')[:_LONGEST]}{options}"

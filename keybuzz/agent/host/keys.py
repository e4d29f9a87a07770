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
_KEY = re.compile(
    r"((?:sk-)?(?:ssh|ecdsa)-[\w@.-]+|(?i:rsa|dsa|(?:ecdsa|ed25519)(?:-sk)?))"
    r"[ \t]+([A-Za-z0-9+/]+=*)(?:[ \t]+(\S.*))?$"
)
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
            rows += [[account, *found] for found in _keys(path, text)]
    return sorted(rows)


def _accounts() -> Iterator[tuple[str, str]]:
    for line in opener.text(PASSWD, opener.LARGE, final=True).splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[5].startswith("/"):
            yield fields[0], fields[5]


def _keys(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what each line lets in; one that is neither a key nor a comment is in the place of a key."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip()
        if words and not words.startswith("#"):
            yield _key(words) or (f"{path}:{number}", "holds no key that can be read")


def _key(line: str) -> tuple[str, str] | None:
    """Return fingerprint and meaning of the key that sshd reads in a line; None without one."""
    from base64 import b64decode, b64encode  # hosts without keys of others need neither
    from hashlib import sha256

    found = _KEY.match(line)
    # Options may hold a command with a password in it: that there are some is enough.
    options = "" if found else " with options of its own"
    found = found or _KEY.match(_after_options(line))
    if found is None:
        return None
    try:
        blob = b64decode(found[2], validate=True)
    except ValueError:
        return None
    fingerprint = "SHA256:" + b64encode(sha256(blob).digest()).decode().rstrip("=")
    return fingerprint, f"{found[1]} {(found[3] or 'without a comment')[:_LONGEST]}{options}"


def _after_options(line: str) -> str:
    """Return what follows the options, as sshd finds it: after the first blank outside quotes."""
    place, quoted = 0, False
    while place < len(line) and (quoted or line[place] not in " \t"):
        if line.startswith('\\"', place):
            place += 1
        elif line[place] == '"':
            quoted = not quoted
        place += 1
    return line[place:].lstrip(" \t")

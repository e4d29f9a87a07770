"""What was added to a host outside of our folders and gives rights, or is run: drop-ins, sudo, boot, accounts."""

from __future__ import annotations

import hashlib
import os
from fnmatch import fnmatchcase

from keybuzz.agent.guard import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DROP_INS = tuple(
    f"/etc/systemd/system/{unit}.service.d" for unit in ("docker", "containerd", "ssh")
)
_SUDO = "/etc/sudoers.d"
_BOOT = "/etc/rc.local"
_PASSWD = "/etc/passwd"
_DPKG = "/var/lib/dpkg/status"
_WATCHED = (" /etc/cron", " /etc/sudoers")


def additions(explained: Iterable[str]) -> list[list[str]]:
    """Return path and meaning of each thing that neither a package nor a description explains."""
    patterns = tuple(explained)
    packaged = _packaged()
    found = dict(_found(packaged))
    return [
        [path, what]
        for path, what in sorted(found.items())
        if not any(path == item or fnmatchcase(path, item) for item in patterns)
    ]


def _found(packaged: dict[str, str]) -> Iterator[tuple[str, str]]:
    for folder in _DROP_INS:
        for path in _inside(folder):
            yield path, "changes a unit of a package"
    for path in _inside(_SUDO):
        if path not in packaged:
            yield path, "gives rights of root"
    if opener.is_file(_BOOT):
        yield _BOOT, "is run at each boot"
    for path, digest in packaged.items():
        if opener.is_file(path) and _digest(path) != digest:
            yield path, "was changed since its package was installed"
    for line in _text(_PASSWD).splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[1:2] == ["0"] and name != "root":
            yield f"account {name}", "is root under another name"


def _inside(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in opener.names(folder)]
    except FileNotFoundError:
        return []


def _packaged() -> dict[str, str]:
    """Return the watched files that packages brought, with the digest of how they came."""
    found: dict[str, str] = {}
    for line in _text(_DPKG).splitlines():
        if line.startswith(_WATCHED):
            words = line.split()
            if len(words) == 2:
                found[words[0]] = words[1]
    return found


def _digest(path: str) -> str:
    content = opener.read(path, opener.SMALL, final=True)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except FileNotFoundError:
        return ""

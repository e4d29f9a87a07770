"""What was added to a host outside of our folders and gives rights, or is run: drop-ins, sudo, boot, accounts."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from keybuzz.agent.guard import opener
from keybuzz.agent.host import packaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DROP_INS = tuple(
    f"/etc/systemd/system/{unit}.service.d" for unit in ("docker", "containerd", "ssh")
)
_SUDO = "/etc/sudoers.d"
_BOOT = "/etc/rc.local"
_PASSWD = "/etc/passwd"


def additions(explained: Iterable[str]) -> list[list[str]]:
    """Return path and meaning of each thing that neither a package nor a description explains."""
    patterns = tuple(explained)
    known = packaged.packaged()
    found = dict(_found(known))
    return [
        [path, what]
        for path, what in sorted(found.items())
        if not any(path == item or fnmatchcase(path, item) for item in patterns)
    ]


def _found(known: packaged.Known) -> Iterator[tuple[str, str]]:
    for folder in _DROP_INS:
        for path in _inside(folder):
            yield path, "changes a unit of a package"
    for path in _inside(_SUDO):
        if path not in known.files:
            yield path, "gives rights of root"
    if opener.is_there(_BOOT):
        yield _BOOT, "is run at each boot"
    yield from packaged.changed(known)
    for line in _text(_PASSWD).splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[1:2] == ["0"] and name != "root":
            yield f"account {name}", "is root under another name"


def _inside(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in opener.names(folder)]
    except FileNotFoundError:
        return []


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except FileNotFoundError:
        return ""

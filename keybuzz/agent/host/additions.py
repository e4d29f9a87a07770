"""What was added to a host outside our folders that gives rights, or is run: drop-ins, sudo, boot, accounts, sysctl."""

from __future__ import annotations

import os
import stat
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
_SYSCTL = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d")
_SYSCTL_OWN = "/etc/sysctl.conf"
_MOST_NAMES = 5
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
    yield from _kernel_settings(known)
    yield from packaged.changed(known)
    for line in _text(_PASSWD).splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[1:2] == ["0"] and name != "root":
            yield f"account {name}", "is root under another name"


def _kernel_settings(known: packaged.Known) -> Iterator[tuple[str, str]]:
    """Yield the files that set parameters of the kernel at each boot; packages link to the file that is theirs."""
    for folder in _SYSCTL:
        for path in _inside(folder):
            if not path.endswith(".conf") or path in known.files or _led_to(path) == _SYSCTL_OWN:
                continue
            lines = (line.strip() for line in _text(path).splitlines())
            names = [
                line.partition("=")[0].strip(" -")
                for line in lines
                if "=" in line and not line.startswith(("#", ";"))
            ]
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            yield path, f"sets {', '.join(names[:_MOST_NAMES]) or 'nothing'}{more} at each boot"


def _led_to(path: str) -> str:
    """Return where a link leads; the path itself where it is none."""
    if not stat.S_ISLNK(opener.status(path).st_mode):
        return path
    with opener.place(path) as found:
        target = os.readlink(found.name, dir_fd=found.folder)
    return os.path.normpath(os.path.join(os.path.dirname(path), target))


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

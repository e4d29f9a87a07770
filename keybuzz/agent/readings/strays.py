"""What is on this host beside what descriptions explain: containers, units, cron, listeners, files.

Nothing is started: Docker's socket, /proc and the files say it all. What cannot be read is a problem of its part.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from fnmatch import fnmatchcase

from keybuzz.agent.guard import opener
from keybuzz.agent.host import additions, doors, gist, keys, ways
from keybuzz.agent.readings import tcp_ports
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

    Row = list[Any]

_MOST = 200
"""Entries of one part: who has more has another problem."""
_UNITS = "/etc/systemd/system"
_UNIT_KINDS = (".service", ".timer", ".socket", ".path")
_CRON_TABLES = ("/etc/cron.d", "/var/spool/cron/crontabs")
_CRON_SCRIPTS = ("/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly")
_DPKG = "/var/lib/dpkg/status"
_ASSIGNMENT = re.compile(r"\w+\s*=")


def sweep(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the parts, each a list, with the reasons of those that could not be read."""
    parts: dict[str, Callable[[], list[Row]]] = {
        "containers": lambda: _containers(context),
        "units": _units,
        "cron": lambda: _cron(context),
        "ports": lambda: _ports(set(query["ports"])),
        "files": lambda: _files(query),
        "doors": doors.doors,
        "keys": keys.keys,
        "additions": lambda: additions.additions(query["files"]) + ways.ways(),
    }
    answer: dict[str, Any] = {"problems": {}, "truncated": []}
    for part, read in parts.items():
        try:
            found = read()
        except AgentError as error:
            found, answer["problems"][part] = [], error.what
        except OSError as error:
            found, answer["problems"][part] = [], os_error_text(error)
        except Exception as error:  # one part's fault must not make the whole host unreadable
            what = f"the agent failed to read them: {type(error).__name__}: {error}"
            found, answer["problems"][part] = [], what
        if len(found) > _MOST:
            answer["truncated"].append(part)
        answer[part] = found[:_MOST]
    return answer


def _containers(context: Context) -> list[Row]:
    """Name, image and state of each container, but for the validators that a run starts and removes."""
    listed = context.docker.get("/containers/json?all=true")
    if listed is None:
        raise AgentError("Docker has no list of containers")
    rows = []
    for item in listed:
        if "kbz.purpose" not in (item.get("Labels") or {}):
            name = min(item["Names"], key=len).lstrip("/")
            rows.append([name, item["Image"], item["State"]])
    return sorted(rows)


def _units() -> list[Row]:
    """Name, whether its file was put here by hand, and whether it is enabled."""
    made: set[str] = set()
    enabled: set[str] = set()
    for name, kind in opener.entries(_UNITS):
        if name.endswith((".wants", ".requires")):
            enabled.update(opener.names(f"{_UNITS}/{name}"))
        elif kind == stat.S_IFREG:
            made.add(name)
    names = sorted(name for name in made | enabled if name.endswith(_UNIT_KINDS))
    return [[name, name in made, name in enabled] for name in names]


def _cron(context: Context) -> list[Row]:
    """Place, id and gist of each line that no package brought, and of scripts that cron runs.

    A line may hold a password, so that only its times and its program are told, and the id is keyed.
    """
    packaged = _packaged()
    rows: list[Row] = []
    for folder in _CRON_TABLES:
        for path in _entries(folder):
            for line in _cron_lines(path):
                if path not in packaged or "keybuzz" in line or "kbz" in line:
                    identity = context.digest(line.encode(), True).rpartition(":")[2][:12]
                    rows.append([path, identity, gist.of_cron(line, user=folder == "/etc/cron.d")])
    for folder in _CRON_SCRIPTS:
        rows += [[path, "", "script"] for path in _entries(folder) if path not in packaged]
    return rows


def _entries(folder: str) -> list[str]:
    try:
        names = opener.names(folder)
    except FileNotFoundError:
        return []
    return [f"{folder}/{name}" for name in names if name != ".placeholder"]


def _cron_lines(path: str) -> Iterator[str]:
    text = opener.head(path, 1 << 18, final=True).decode("utf-8", "replace")
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#") and not _ASSIGNMENT.match(line):
            yield line


def _packaged() -> set[str]:
    """Return the files of cron that a package brought, by dpkg's own list of configuration files."""
    found: set[str] = set()
    try:
        with os.fdopen(opener.opened(_DPKG), encoding="utf-8", errors="replace") as file:
            found = {line.split()[0] for line in file if line.startswith(" /etc/cron")}
    except FileNotFoundError:
        pass  # not a Debian: then nothing is known to be of a package
    return found


def _ports(explained: set[int]) -> list[Row]:
    """Port, address and program of each listener on a port that is not described."""
    found: dict[tuple[int, str], str] = {}
    for address, port, inode in tcp_ports.listeners():
        if port not in explained:
            found[port, address] = inode
    names = programs(set(found.values())) if found else {}
    return [
        [port, address, names.get(inode, "")] for (port, address), inode in sorted(found.items())
    ]


def programs(inodes: set[str]) -> dict[str, str]:
    """Return the program that holds each of these sockets; a process may end, or close one, meanwhile."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, str] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    link = os.readlink(f"/proc/{pid}/fd/{name}")
                    if link in wanted:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                            found[wanted[link]] = file.read().strip()
    return found


def _files(query: dict[str, Any]) -> list[Row]:
    """Path of each file or folder that is not described; such a folder is one entry, whatever is in it."""
    folders = set(query["folders"])
    exact = {path for path in query["files"] if not _is_pattern(path)}
    patterns = [path for path in query["files"] if _is_pattern(path)]
    found: list[Row] = []
    waiting = [root for root in query["roots"] if opener.is_folder(root)]
    while waiting and len(found) <= _MOST:
        folder = waiting.pop()
        for name, kind in opener.entries(folder):
            path = os.path.join(folder, name)
            if path in exact or any(fnmatchcase(path, pattern) for pattern in patterns):
                continue
            is_folder = kind == stat.S_IFDIR
            if is_folder and path in folders:
                waiting.append(path)
            else:
                found.append([path + "/" if is_folder else path])
    return sorted(found)


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")

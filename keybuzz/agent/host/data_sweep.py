"""Data of services on this host, recognised by what it is: wherever it lies and however its container is called.

Looked at are the mounts of all containers, running or stopped, all volumes of Docker, and folders that older
installations used. Data is known by the files that only such a service writes, and by the identity in them; a proxy
by the ports of its configuration (keybuzz.agent.host.data_marks).
"""

from __future__ import annotations

import re
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.host.data_marks import identify, serving
from keybuzz.agent.readings import tcp_ports
from keybuzz.agent.readings.strays import programs
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

SOCKET = "/var/run/docker.sock"
_DEEPEST = 3
_MOST_FOLDERS = 400
_NEVER = ("/proc", "/sys", "/dev", "/run", "/var/run", "/lib", "/usr", "/boot")
"""No service keeps data there; a container that watches its host mounts them."""


def sweep(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what was found, who listens on the service's ports, and what could not be looked into."""
    problems: list[str] = []
    places: dict[str, list[str]] = {place: [] for place in query["places"]}
    for place, holder in _mounts(context, problems):
        places.setdefault(place, []).append(holder)
    found: dict[tuple[str, str], list[str]] = {}
    ports = set(query["ports"])
    for place, holders in sorted(places.items()):
        try:
            for kind, path, identity, holder in _held(place, holders or [""]):
                if kind in query["kinds"] and _counts(kind, identity, holder, ports, context):
                    known = found.get((kind, path))
                    who = holder or (known[3] if known else "")
                    found[kind, path] = [kind, path, identity, who]
        except OSError as error:
            problems.append(f"{place}: {os_error_text(error)}")
        except AgentError as error:
            problems.append(f"{place}: {error.what}")
    return {
        "found": [found[key] for key in sorted(found)][:100],
        "listening": _listening(ports),
        "problems": problems[:20],
    }


def _held(place: str, holders: list[str]) -> Iterator[tuple[str, str, str, str]]:
    for kind, path, identity in _below(place):
        for holder in holders:
            yield kind, path, identity, holder


def _counts(kind: str, identity: str, holder: str, ports: set[int], context: Context) -> bool:
    """Return whether it is of the service that is asked for.

    A configuration is, where a container has these ports, or would have them as soon as Docker starts it.
    """
    if kind not in serving():
        return True
    whose, _, name = holder.partition(" ")
    has_ports = not ports.isdisjoint(map(int, re.findall(r"\d+", identity)))
    return whose == "container" and has_ports and _may_run(context.docker.inspect(name))


def _may_run(found: Any) -> bool:
    """Return whether a container runs, or has a restart policy; one that was removed meanwhile does neither."""
    if found is None:
        return False
    state, policy = found["State"], (found.get("HostConfig") or {}).get("RestartPolicy") or {}
    running = bool(state.get("Running") or state.get("Restarting"))
    return running or policy.get("Name") not in (None, "", "no")


def _mounts(context: Context, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each folder of the host that a container has, and each volume, with who has it."""
    if not opener.is_there(SOCKET):
        return  # no Docker yet: what it left would be in /var/lib/docker/volumes
    try:
        containers = context.docker.get("/containers/json?all=true") or []
        volumes = (context.docker.get("/volumes") or {}).get("Volumes") or []
    except AgentError as error:
        problems.append(f"Docker does not tell its containers: {error.what}")
        return
    for item in volumes:
        yield item["Mountpoint"], f"volume {item['Name'][:12]}"
    for item in containers:
        if "kbz.purpose" in (item.get("Labels") or {}):
            continue
        name = min(item["Names"], key=len).lstrip("/")
        for mount in item.get("Mounts") or []:
            source = mount.get("Source") or ""
            if source.startswith("/") and source != "/" and not _never(source):
                yield source, f"container {name}"


def _never(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in _NEVER)


def _below(place: str) -> Iterator[tuple[str, str, str]]:
    """Yield kind, path and identity of all data in a folder; what is data is not looked into."""
    waiting = [(place, 0)]
    seen = 0
    while waiting and seen < _MOST_FOLDERS:
        folder, depth = waiting.pop()
        seen += 1
        try:
            names = dict(opener.entries(folder))
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            folder, _, name = folder.rpartition("/")  # a container may have a single file
            names, depth = {name: stat.S_IFREG}, _DEEPEST
        data = list(identify(folder, names))
        for kind, identity in data:
            yield kind, folder, identity
        if depth < _DEEPEST and all(kind in serving() for kind, _ in data):
            inner = (name for name, kind in names.items() if kind == stat.S_IFDIR)
            waiting += [(f"{folder}/{name}", depth + 1) for name in inner]


def _listening(ports: set[int]) -> list[list[str | int]]:
    """Return port and program of each listener on these ports."""
    open_ports = {(port, inode) for _, port, inode in tcp_ports.listeners() if port in ports}
    names = programs({inode for _, inode in open_ports}) if open_ports else {}
    found = sorted({(port, names.get(inode, "")) for port, inode in open_ports})
    return [[port, program] for port, program in found]

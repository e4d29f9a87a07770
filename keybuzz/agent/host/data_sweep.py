"""Data of services on this host, recognised by what it is: wherever it lies and however its container is called.

Looked at are the mounts of all containers, running or stopped, all volumes of Docker, and folders that older
installations used. Data is known by the files that only such a service writes, and by the identity in them.
"""

from __future__ import annotations

import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.readings import tcp_ports
from keybuzz.agent.readings.strays import programs
from keybuzz.agent.runtime.errors import AgentError, os_error_text
from keybuzz.agent.wire.json_text import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

    Names = dict[str, int]

SOCKET = "/var/run/docker.sock"
_DEEPEST = 3
_MOST_FOLDERS = 400
_HEAD = 1 << 16
_NEVER = ("/proc", "/sys", "/dev", "/run", "/var/run", "/lib", "/usr", "/boot")
"""No service keeps data there; a container that watches its host mounts them."""


def sweep(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return what was found, who listens on the service's ports, and what could not be looked into."""
    problems: list[str] = []
    places = dict.fromkeys(query["places"], "")
    places.update(_mounts(context, problems))
    found: dict[tuple[str, str], list[str]] = {}
    for place, holder in sorted(places.items()):
        try:
            for kind, path, identity in _below(place):
                if kind in query["kinds"]:
                    known = found.get((kind, path))
                    who = holder or (known[3] if known else "")
                    found[kind, path] = [kind, path, identity, who]
        except OSError as error:
            problems.append(f"{place}: {os_error_text(error)}")
        except AgentError as error:
            problems.append(f"{place}: {error.what}")
    return {
        "found": [found[key] for key in sorted(found)][:100],
        "listening": _listening(set(query["ports"])),
        "problems": problems[:20],
    }


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
        except (FileNotFoundError, NotADirectoryError):
            continue
        data = list(identify(folder, names))
        for kind, identity in data:
            yield kind, folder, identity
        if depth < _DEEPEST and not data:
            inner = (name for name, kind in names.items() if kind == stat.S_IFDIR)
            waiting += [(f"{folder}/{name}", depth + 1) for name in inner]


def identify(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield which service's data a folder is, and its identity where it has one."""
    if "PG_VERSION" in names and "global" in names:
        yield "postgresql", _postgresql(folder)
    if "grastate.dat" in names or "ibdata1" in names:
        yield "mariadb", _galera(folder) if "grastate.dat" in names else ""
    if ".minio.sys" in names:
        yield "minio", _minio(folder)
    if any(name.startswith("rabbit@") and kind == stat.S_IFDIR for name, kind in names.items()):
        nodes = [
            name
            for name, kind in names.items()
            if name.startswith("rabbit@") and kind == stat.S_IFDIR
        ]
        yield "rabbitmq", min(nodes, key=len)
    if version := _redis(folder, names):
        yield "redis", version
    for name, kind in names.items():
        is_conf = kind == stat.S_IFREG and name.endswith(".conf") and "sentinel" in name
        if is_conf and (identity := _sentinel(f"{folder}/{name}")):
            yield "sentinel", identity


def _postgresql(folder: str) -> str:
    version = _text(f"{folder}/PG_VERSION").strip()[:8]
    control = _bytes(f"{folder}/global/pg_control", 8)
    system = str(int.from_bytes(control, "little")) if len(control) == 8 else "?"
    return f"PostgreSQL {version}, system identifier {system}"


def _galera(folder: str) -> str:
    lines = dict(
        line.split(":", 1) for line in _text(f"{folder}/grastate.dat").splitlines() if ":" in line
    )
    return f"cluster {lines.get('uuid', '?').strip()[:36]}"


def _minio(folder: str) -> str:
    try:
        found = loads(_text(f"{folder}/.minio.sys/format.json"))
    except ValueError:
        return "without a format.json"
    return f"deployment {str(found.get('id', '?'))[:36]}" if isinstance(found, dict) else "?"


def _redis(folder: str, names: Names) -> str:
    """Return the newest format among RDB files and append-only files; empty for none."""
    versions = []
    for name, kind in names.items():
        if kind == stat.S_IFREG and name.endswith((".rdb", ".aof")):
            head = _bytes(f"{folder}/{name}", 9)
            if head[:5] == b"REDIS" and head[5:].isdigit():
                versions.append(int(head[5:]))
            elif name.endswith(".aof") and head[:1] == b"*":
                versions.append(0)
    if "appendonlydir" in names or any(name.endswith(".aof.manifest") for name in names):
        versions.append(0)
    if not versions:
        return ""
    return f"RDB {max(versions)}" if max(versions) else "an append-only file"


def _sentinel(path: str) -> str:
    for line in _text(path).splitlines():
        words = line.split()
        if words[:2] == ["sentinel", "monitor"] and len(words) > 3:
            return f"monitors {words[2]} at {words[3]}"
    return ""


def _bytes(path: str, size: int) -> bytes:
    try:
        return opener.head(path, size)
    except OSError:
        return b""


def _text(path: str) -> str:
    return _bytes(path, _HEAD).decode("utf-8", "replace")


def _listening(ports: set[int]) -> list[list[str | int]]:
    """Return port and program of each listener on these ports."""
    open_ports = {(port, inode) for _, port, inode in tcp_ports.listeners() if port in ports}
    names = programs({inode for _, inode in open_ports}) if open_ports else {}
    found = sorted({(port, names.get(inode, "")) for port, inode in open_ports})
    return [[port, program] for port, program in found]

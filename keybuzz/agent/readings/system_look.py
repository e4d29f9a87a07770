"""How a host is: disks, memory, load, clock, restarts of containers. From the kernel's files; no program runs."""

from __future__ import annotations

import os
import stat
import sys
import time

from keybuzz.agent.guard import mounts as sick_mounts
from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_DISKS = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "vfat", "xfs", "zfs")
"""Others are made by the kernel, are read-only by nature, or hang when their server is away."""
_KERNELS = frozenset({"proc", "sys", "dev"})
_RUNS = frozenset(
    {"host", "user", "credentials", "systemd", "docker", "containerd", "netns", "lock"}
)
_CONTAINERS = frozenset({"docker", "containerd", "kubelet", "rancher"})
_KILLED = "Killed process "
_OOM = Pattern(rf"{_KILLED}\d+ \(([^)]*)\)")
_LONGEST_LOG = 200_000
"""Messages of the kernel; its ring never holds as many."""
_TIME_FILES = (
    "/usr/lib/systemd/timesyncd.conf.d",
    "/etc/systemd/timesyncd.conf",
    "/run/systemd/timesyncd.conf.d",
    "/etc/systemd/timesyncd.conf.d",
    "/etc/chrony/chrony.conf",
    "/etc/chrony/conf.d",
    "/etc/chrony/sources.d",
)
_LARGEST_HOSTS, _MOST_HOSTS = 1 << 18, 2000
_MAXERROR = slice(24, 32)
"""Of struct timex where a long has 8 bytes, in microseconds."""
_LARGEST_ERROR = 16_000_000
_NAMES = ("NTP", "FallbackNTP", "server", "pool", "peer")
"""How a line begins that names time servers."""
_ASKED = Pattern(r"(?m)^\s*(?:(?:Fallback)?NTP\s*=|(?:server|pool|peer)\s)\s*(.*)$")


def look(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the host's system at this moment."""
    return {
        "clock": time.time(),
        "disks": list(disks()),
        "sick_mounts": sorted(sick_mounts.sick().items()),
        "memory": memory(_read("/proc/meminfo")),
        "load": [float(number) for number in _read("/proc/loadavg").split()[:3]],
        "cpus": os.cpu_count() or 1,
        "kernel": os.uname().release,
        "oom_kills": oom_kills(query["seconds"]),
        "time_servers": time_servers(),
        "clock_synchronised": clock_synchronised(),
        "resolvers": resolvers(),
        "hostname": os.uname().nodename,
        "name_servers": name_servers(),
        **names(),
        "containers": _containers(context),
    }


def disks(mountinfo: str = "/proc/self/mountinfo") -> Iterator[dict[str, Any]]:
    """Yield each file system once, by its shortest mount point, and each mount that takes no writes."""
    seen: set[tuple[int, ...]] = set()
    for point, read_only in sorted(mounts(_read(mountinfo)), key=lambda item: len(item[0])):
        try:
            found = os.statvfs(point)
            device = os.stat(point).st_dev
        except OSError:  # unmounted meanwhile, or covered by another mount
            continue
        size = (found.f_blocks, found.f_bfree, found.f_files, found.f_ffree)
        if not read_only and ((device,) in seen or size in seen):
            continue
        seen |= {(device,), size}
        yield {
            "path": point,
            "read_only": read_only,
            "bytes": found.f_blocks * found.f_frsize,
            "used": share(found.f_blocks - found.f_bfree, found.f_bavail),
            "inodes_used": share(found.f_files - found.f_ffree, found.f_favail),
        }


def mounts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield mount point and whether it is read-only, of the mounts that matter."""
    for point, kind, options in sick_mounts.entries(text):
        if kind in _DISKS and not _is_the_systems(point):
            yield point, "ro" in options


def _is_the_systems(point: str) -> bool:
    """Return whether a mount is of the system itself or of single containers; /run and /var/lib/docker are not."""
    _, first, second, third, inside = (*point.split("/", 4), "", "", "", "")[:5]
    if first == "run":
        return second in _RUNS or third == "containerd"
    return first in _KERNELS or (
        (first, second) == ("var", "lib") and third in _CONTAINERS and inside != ""
    )


def share(used: int, free: int) -> float:
    """Return the percentage as df tells it: of what is not kept back for root."""
    return 100.0 * used / (used + free) if used + free > 0 else 0.0


def memory(text: str) -> dict[str, int]:
    """Return total and available memory in bytes."""
    found = {line.partition(":")[0]: line.split()[1] for line in text.splitlines()}
    return {
        "total": int(found["MemTotal"]) * 1024,
        "available": int(found["MemAvailable"]) * 1024,
    }


def oom_kills(seconds: float, path: str = "/dev/kmsg") -> list[str] | None:
    """Return the processes that the kernel killed for want of memory within that time; None if not readable."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISCHR(os.fstat(source).st_mode):
            return None
        return killed(_messages(source), time.monotonic() - seconds)
    finally:
        os.close(source)


def _messages(source: int) -> Iterator[str]:
    """Yield those of the kernel's messages that may tell of a killed process."""
    for _ in range(_LONGEST_LOG):
        try:
            block = os.read(source, 8192)
        except BrokenPipeError:  # the ring moved on under us: the next read goes on behind the gap
            continue
        except BlockingIOError:
            return
        if not block:
            return
        if _KILLED.encode() in block:  # few have it, of some thousands
            yield block.decode(errors="replace")


def killed(messages: Iterator[str], since: float) -> list[str]:
    """Return the names in messages of /dev/kmsg that are not older than `since`, seconds after the boot."""
    names = []
    for message in messages:
        head, _, text = message.partition(";")
        found = _OOM.search(text) if _KILLED in text else None
        if found and int(head.split(",")[2]) / 1e6 >= since:
            names.append(found[1])
    return names


def time_servers(paths: tuple[str, ...] = _TIME_FILES) -> list[str]:
    """Return whom the files of the time services name; empty where they leave it at the built-in ones."""
    named: set[str] = set()
    for path in paths:
        for file in sorted(_files(path)):
            text = _read_if_there(file)
            if not any(line.lstrip().startswith(_NAMES) for line in text.splitlines()):
                continue
            for line in _ASKED.findall(text):
                named |= {word for word in line.split() if "." in word or ":" in word}
    return sorted(named)


def clock_synchronised() -> bool | None:
    """Return what the kernel says of its clock, judged as timedatectl does; None where it cannot be asked.

    It is not readable in some sandboxes, and Debian's python3-minimal has no ctypes to ask with.
    """
    try:
        import ctypes
    except ImportError:
        return None

    timex = ctypes.create_string_buffer(256)  # longer than any struct timex; modes 0 only asks
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    return int.from_bytes(timex.raw[_MAXERROR], sys.byteorder, signed=True) < _LARGEST_ERROR


def resolvers(folder: str = "/run/systemd/resolve") -> list[str] | None:
    """Return the name servers that systemd-resolved says it uses; None where it does not run.

    It leaves its file behind when it is stopped, so its socket is tried too.
    """
    from keybuzz.agent.wire.http import connect_unix

    try:
        connect_unix(f"{folder}/io.systemd.Resolve", 1.0).close()
    except OSError:
        return None
    lines = (line.split() for line in _read_if_there(f"{folder}/resolv.conf").splitlines())
    return [words[1] for words in lines if len(words) == 2 and words[0] == "nameserver"]


def name_servers(path: str = "/etc/resolv.conf") -> list[str]:
    """Return the name servers that programs ask; none where the file is not there."""
    lines = (line.split() for line in _read_if_there(path).splitlines())
    return [words[1] for words in lines if len(words) >= 2 and words[0] == "nameserver"]


def names(path: str = "/etc/hosts") -> dict[str, Any]:
    """Return address and names of each line of /etc/hosts, which programs believe before any name server.

    Whether there is more than is read of it is told too.
    """
    try:
        raw = opener.head(path, _LARGEST_HOSTS, final=True)
    except (FileNotFoundError, NotADirectoryError):
        return {"names": [], "names_cut": False}
    text = raw.decode("utf-8", "replace")
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    found = [(words[0], words[1:]) for words in lines if len(words) > 1]
    cut = len(raw) == _LARGEST_HOSTS or len(found) > _MOST_HOSTS
    return {"names": found[:_MOST_HOSTS], "names_cut": cut}


def _files(path: str) -> list[str]:
    if not opener.is_folder(path):
        return [path]
    return [os.path.join(path, name) for name in opener.names(path)]


def _containers(context: Context) -> list[dict[str, Any]] | None:
    """Return each container's restarts; None when Docker does not answer, which is another check's finding."""
    try:
        listed = context.docker.get("/containers/json?all=1") or []
        found = (context.docker.inspect(container["Id"]) for container in listed)
        return [_container(container) for container in found if container]
    except AgentError:
        return None


def _container(found: dict[str, Any]) -> dict[str, Any]:
    state = found["State"]
    return {
        "name": found["Name"].lstrip("/"),
        "restarting": bool(state.get("Restarting")),
        "running": bool(state.get("Running")),
        "paused": bool(state.get("Paused")),
        "restarts": int(found.get("RestartCount", 0)),
        "oom_killed": bool(state.get("OOMKilled")),
        "up": _age(state.get("StartedAt", "")),
    }


def _age(moment: str) -> float | None:
    """Return the seconds since a moment in Docker's words; None for a container that never ran."""
    from datetime import datetime

    if not moment or moment.startswith("0001"):
        return None
    return time.time() - datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp()


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _read_if_there(path: str) -> str:
    try:
        return opener.text(path, opener.SMALL, final=True)
    except (FileNotFoundError, NotADirectoryError):
        return ""

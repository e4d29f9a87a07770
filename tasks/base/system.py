"""What a host says about itself, judged: disks, memory, load, containers. Pure; limits are data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, unknown
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import on_host
from keybuzz.model.host.system_look import SystemLimits, SystemLook

READING = "base.system"
_GIBIBYTE = 2**30
_STARTING = 60.0
"""Seconds. Docker waits up to a minute before it starts a container that died again."""
_RECENTLY = 3600.0
"""Seconds. Older restarts are history, and no reason to look now."""

_FROM_SYSTEM = (
    "base.system.read",
    "base.disk.space",
    "base.disk.inodes",
    "base.disk.read-only",
    "base.mounts.answer",
    "base.memory.available",
    "base.memory.oom",
    "base.load.average",
    "base.containers.restarting",
    "base.containers.paused",
)
"""Checks that the one reading answers."""
_NO_DOCKER = "Docker does not say which containers there are"
_NO_DISKS = "the host names no file system"

Facts = Mapping[str, Any]


def system(host: str, view: HostView) -> tuple[Finding, ...]:
    """Return the findings about one host's own system."""
    answer = view.answer(READING)
    if not answer.known:
        return all_unknown(_FROM_SYSTEM, answer.problem, host)
    facts, limits = answer.value, limits_of(view)
    return (
        Finding("base.system.read", Level.OK, f"kernel {facts['kernel']}", host),
        _full("base.disk.space", "used", "full", facts, limits, host),
        _full("base.disk.inodes", "inodes_used", "of its inodes used", facts, limits, host),
        _read_only(facts, host),
        _mounts(facts, host),
        _memory(facts, limits, host),
        _killed(facts, host),
        _load(facts, limits, host),
        _restarting(facts, limits, host),
        _paused(facts, host),
    )


def limits_of(view: HostView) -> SystemLimits:
    """Return the limits that the site gave with the question."""
    asked = (reading for reading in view.readings if isinstance(reading, SystemLook))
    return next((reading.limits for reading in asked), SystemLimits())


def _full(
    check: str, share: str, word: str, facts: Facts, limits: SystemLimits, host: str
) -> Finding:
    """Judge the fullest first, and name each that is too full."""
    disks = sorted(facts["disks"], key=lambda disk: -disk[share])
    if not disks:
        return unknown(check, _NO_DISKS, host, on_host(host, "df", "-h"))
    full = [disk for disk in disks if disk[share] >= limits.disk_warn]
    if not full:
        most = disks[0]
        return Finding(check, Level.OK, f"{most['path']} is {most[share]:.0f} % {word}", host)
    critical = full[0][share] >= limits.disk_critical
    text = "; ".join(f"{disk['path']} is {disk[share]:.0f} % {word}" for disk in full)
    hint = on_host(host, "df", f"-h{'i' * (share != 'used')}")
    return Finding(check, Level.CRITICAL if critical else Level.WARN, text, host, hint)


def _read_only(facts: Facts, host: str) -> Finding:
    check = "base.disk.read-only"
    if not facts["disks"]:
        return unknown(check, _NO_DISKS, host, on_host(host, "df", "-h"))
    found = sorted(disk["path"] for disk in facts["disks"] if disk["read_only"])
    if found:
        hint = f"{on_host(host, 'dmesg')} says why; restart nothing before"
        return Finding(check, Level.CRITICAL, f"takes no writes: {', '.join(found)}", host, hint)
    return Finding(check, Level.OK, f"{len(facts['disks'])} file systems take writes", host)


def _mounts(facts: Facts, host: str) -> Finding:
    check, found = "base.mounts.answer", facts["sick_mounts"]
    if not found:
        return Finding(check, Level.OK, "no mount is left behind", host)
    ways = [on_host(host, "umount", "-l", point) for point, _ in found]
    hint = f"bring back what serves it, or detach it: {'; '.join(ways)}"
    return Finding(check, Level.CRITICAL, "; ".join(why for _, why in found), host, hint)


def _memory(facts: Facts, limits: SystemLimits, host: str) -> Finding:
    check, found = "base.memory.available", facts["memory"]
    left = 100.0 * found["available"] / max(1, found["total"])
    text = f"{left:.0f} % of {found['total'] / _GIBIBYTE:.1f} GiB is left"
    level = _worse(left < limits.memory_critical, left < limits.memory_warn)
    hint = on_host(host, "docker", "stats", "--no-stream") if level else ""
    return Finding(check, level, text, host, hint)


def _killed(facts: Facts, host: str) -> Finding:
    """What the kernel's log names, and containers whose last end was that."""
    check, killed = "base.memory.oom", _named(facts, lambda c: c["oom_killed"])
    names = {*(facts["oom_kills"] or ()), *(() if isinstance(killed, Unread) else killed)}
    if not names and isinstance(killed, Unread):
        return unknown(check, killed.why, host, _ask_docker(host))
    if names:
        text = f"the kernel killed {', '.join(sorted(names))} for want of memory"
        return Finding(check, Level.WARN, text, host, on_host(host, "dmesg"))
    if facts["oom_kills"] is None:
        return Finding(check, Level.OK, "no container; the kernel's log cannot be read", host)
    return Finding(check, Level.OK, "nothing was killed", host)


def _load(facts: Facts, limits: SystemLimits, host: str) -> Finding:
    if not facts["cpus"]:
        return unknown("base.load.average", "the host names no processor", host)
    share = facts["load"][2] / max(1, facts["cpus"])
    text = f"{share:.1f} for each of {facts['cpus']} processors over 15 minutes"
    if share > limits.load_per_cpu:
        hint = on_host(host, "top", "-bn1")
        return Finding("base.load.average", Level.WARN, text, host, hint)
    return Finding("base.load.average", Level.OK, text, host)


def _restarting(facts: Facts, limits: SystemLimits, host: str) -> Finding:
    """A loop now is critical; one that came to rest within the hour is worth a look."""
    check = "base.containers.restarting"

    def often(container: Facts, seconds: float) -> bool:
        up = container["up"]
        return bool(container["restarts"] >= limits.restarts and up is not None and up < seconds)

    loops = _named(facts, lambda c: c["restarting"] or often(c, _STARTING))
    rested = _named(facts, lambda c: c["running"] and often(c, _RECENTLY))
    if isinstance(loops, Unread) or isinstance(rested, Unread):
        return unknown(check, _NO_DOCKER, host, _ask_docker(host))
    for level, word, names in (
        (Level.CRITICAL, "again and again", loops),
        (Level.WARN, f"{limits.restarts} times or more, until less than an hour ago", rested),
    ):
        if names:
            text = f"{', '.join(names)} restarted {word}"
            hint = on_host(host, "docker", "logs", "--tail", "50", names[0])
            return Finding(check, level, text, host, hint)
    return Finding(check, Level.OK, f"{len(facts['containers'])} containers", host)


def _paused(facts: Facts, host: str) -> Finding:
    """A paused container looks like one that runs, and answers nothing."""
    check, names = "base.containers.paused", _named(facts, lambda c: c["paused"])
    if isinstance(names, Unread):
        return unknown(check, names.why, host, _ask_docker(host))
    if not names:
        return Finding(check, Level.OK, "none", host)
    hint = on_host(host, "docker", "unpause", *names)
    return Finding(check, Level.CRITICAL, f"paused: {', '.join(names)}", host, hint)


def _named(facts: Facts, condition: Callable[[Facts], bool]) -> list[str] | Unread:
    """Return the names of the containers of which this is true."""
    if facts["containers"] is None:
        return Unread(_NO_DOCKER)
    return sorted(c["name"] for c in facts["containers"] if condition(c))


def _ask_docker(host: str) -> str:
    return on_host(host, "docker", "ps", "-a")


def _worse(critical: bool, warn: bool) -> Level:
    return Level.CRITICAL if critical else Level.WARN if warn else Level.OK


def known(views: Iterable[tuple[str, HostView]]) -> dict[str, Facts]:
    """Return what each host that could say it says about itself."""
    return {host: a.value for host, view in views if (a := view.answer(READING)).known}

"""Hosts against each other: clock, time servers, kernel and Docker. Pure; no host is compared with itself alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median

from keybuzz.model.core.finding import Finding, Level, all_unknown, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host
from tasks.base.system import READING, known, limits_of

_DOCKER = "docker-daemon:docker"
_COMPARED = ("base.clock.median", "base.clock.source", "base.kernel.same")
"""Checks that the one reading answers."""


def alike(live: Live) -> tuple[Finding, ...]:
    """Return a finding for each host and each thing in which hosts should be alike."""
    facts = known(live.hosts.items())
    kernels = {host: str(found["kernel"]) for host, found in facts.items()}
    servers = {host: _asked(found["time_servers"]) for host, found in facts.items()}
    engines = {
        host: str(version)
        for host, view in live.hosts.items()
        if (version := view.attribute(_DOCKER, "version"))
    }
    return (
        *_clocks(live),
        *_same("base.clock.source", "asks", servers),
        # Two releases of the operating system have two kernels and two engines: that is described, and no difference.
        *_same_of_each_system("base.kernel.same", "runs kernel", kernels, live),
        *_same_of_each_system("base.docker.same", "runs Docker", engines, live),
        *_silent(live, facts, engines),
    )


def _silent(
    live: Live, facts: Mapping[str, object], engines: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what is unknown of hosts that cannot be compared."""
    for host, view in live.hosts.items():
        if host not in facts:
            yield from all_unknown(_COMPARED, view.answer(READING).problem, host)
        elif offset(view) is None:
            yield unknown("base.clock.median", "it is not known when the host answered", host)
        if host not in engines:
            why = view.unread(_DOCKER) or "Docker does not say its version"
            yield unknown("base.docker.same", why, host, on_host(host, "docker", "version"))


def _same_of_each_system(
    check: str, verb: str, found: Mapping[str, str], live: Live
) -> Iterator[Finding]:
    systems: dict[object, dict[str, str]] = {}
    for host, value in found.items():
        release = live.hosts[host].attribute("operating-system:release", "release")
        systems.setdefault(release, {})[host] = value
    for values in systems.values():
        yield from _same(check, verb, values)


def _asked(servers: list[str]) -> str:
    return ", ".join(servers) or "the time service's own servers"


def _same(check: str, verb: str, found: Mapping[str, str]) -> tuple[Finding, ...]:
    """Compare with what most have; where two are as frequent, the one that more of the first hosts have."""
    counted = Counter(found.values())
    findings = []
    for host, value in found.items():
        usual, number = counted.most_common(1)[0]
        if value == usual:
            findings.append(Finding(check, Level.OK, f"{verb} {value}", host))
        else:
            text = f"{verb} {value}; {number} of {len(found)} hosts: {usual}"
            findings.append(Finding(check, Level.WARN, text, host))
    return tuple(findings)


def _clocks(live: Live) -> tuple[Finding, ...]:
    """An answer takes time, so a clock, and the median too, is known within bounds: only what they exclude is said."""
    bounds = {h: found for h, view in live.hosts.items() if (found := offset(view)) is not None}
    if not bounds:
        return ()
    middle = (
        median(low for low, _ in bounds.values()),
        median(high for _, high in bounds.values()),
    )
    return tuple(_clock(host, bounds[host], middle, live.hosts[host]) for host in bounds)


def offset(view: HostView) -> tuple[float, float] | None:
    """Return the least and the most by which the host's clock can be ahead of the controller's."""
    answer = view.answer(READING)
    if not answer.known or answer.between is None:
        return None
    asked, answered = answer.between
    clock = float(answer.value["clock"])
    return clock - answered, clock - asked


def _clock(
    host: str, bounds: tuple[float, float], middle: tuple[float, float], view: HostView
) -> Finding:
    check, limits = "base.clock.median", limits_of(view)
    least = max(bounds[0] - middle[1], middle[0] - bounds[1], 0.0)
    word = "ahead of" if bounds[0] > middle[1] else "behind"
    if least < limits.clock_warn:
        return Finding(check, Level.OK, "agrees with the other hosts", host)
    level = Level.CRITICAL if least >= limits.clock_critical else Level.WARN
    hint = on_host(host, "timedatectl", "timesync-status")
    return Finding(check, level, f"at least {least:.1f} s {word} the other hosts", host, hint)

"""Health of the base system. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, all_unknown, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host, proposed
from tasks.base.alike import alike
from tasks.base.desired import RESOLVERS
from tasks.base.names import hosts_file
from tasks.base.system import READING, system

_STUB = "127.0.0.53"
"""systemd-resolved, as its link /etc/resolv.conf names it."""
_ASK_CLOCK = "timedatectl timesync-status"
_ASK_RESOLVER = "resolvectl status"
_TIME_SERVICES = ("service:systemd-timesyncd.service", "service:chrony.service")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every selected host, good ones too."""
    found: list[Finding] = []
    for server in live.members:
        if server.name in live.unreachable:
            reason = live.unreachable[server.name]
            found.append(Finding("base.reachable", Level.UNKNOWN, reason, server.name))
        elif server.name in live.hosts:
            found.append(Finding("base.reachable", Level.OK, "answers", server.name))
            found.extend(_host(server.name, live.hosts[server.name]))
            found.append(hosts_file(server.name, live))
    return (*found, *alike(live))


def _host(host: str, view: HostView) -> list[Finding]:
    return [
        _docker(host, view),
        *system(host, view),
        *_clock(host, view),
        _resolvers(host, view),
        *_names(host, view),
        _units(host, view),
    ]


def _docker(host: str, view: HostView) -> Finding:
    if view.attribute("docker-daemon:docker", "running"):
        version = view.attribute("docker-daemon:docker", "version")
        return Finding("base.docker.running", Level.OK, f"Docker {version}", host)
    why = view.attribute("docker-daemon:docker", "why")
    return Finding(
        "base.docker.running",
        Level.CRITICAL,
        why if isinstance(why, str) and "hangs" in why else "Docker does not answer",
        host,
        proposed("kbz", "run", "base", "--limit", host),
    )


def _clock(host: str, view: HostView) -> tuple[Finding, ...]:
    """Judge whether the clock follows others; nothing is said where the site has no time service of its own."""
    if not any(item.identity in _TIME_SERVICES for item in view.resources):
        return ()
    check, answer = "base.clock.synchronised", view.answer(READING)
    if not answer.known:
        return (unknown(check, answer.problem, host, _ASK_CLOCK),)
    synchronised = answer.value["clock_synchronised"]
    if synchronised is None:
        return (Finding(check, Level.UNKNOWN, "the kernel cannot be asked", host, _ASK_CLOCK),)
    if not synchronised:
        text = "the clock is not synchronised yet: leases and elections rely on it"
        return (Finding(check, Level.WARN, text, host, _ASK_CLOCK),)
    return (Finding(check, Level.OK, "the clock is synchronised", host),)


def _resolvers(host: str, view: HostView) -> Finding:
    """Judge what systemd-resolved uses, not what a file of ours says."""
    check, answer = "base.resolvers.effective", view.answer(READING)
    if not answer.known:
        return unknown(check, answer.problem, host, _ASK_RESOLVER)
    used = answer.value["resolvers"]
    if used is None:
        return Finding(check, Level.WARN, "systemd-resolved does not run", host, _ASK_RESOLVER)
    missing = [address for address in RESOLVERS if address not in used]
    if missing:
        text = f"resolved does not use {', '.join(missing)}"
        return Finding(check, Level.WARN, text, host, _ASK_RESOLVER)
    return Finding(check, Level.OK, "as described", host)


def _names(host: str, view: HostView) -> tuple[Finding, ...]:
    """Judge what programs really use: the kernel's own name, and the name servers of /etc/resolv.conf."""
    answer = view.answer(READING)
    if not answer.known:
        return all_unknown(("base.hostname", "base.resolvers.used"), answer.problem, host)
    own, asked = answer.value["hostname"], answer.value["name_servers"]
    check = "base.hostname"
    if own == host:
        named = Finding(check, Level.OK, own, host)
    else:
        text = f"the host calls itself {own}: clusters know their members by name"
        named = Finding(
            check, Level.WARN, text, host, on_host(host, "hostnamectl", "set-hostname", host)
        )
    foreign = sorted(set(asked) - {_STUB, *RESOLVERS})
    check = "base.resolvers.used"
    if not foreign:
        return (named, Finding(check, Level.OK, "as described", host))
    text = f"/etc/resolv.conf is not systemd-resolved's: programs ask {', '.join(foreign)}"
    link = "ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"
    return (named, Finding(check, Level.WARN, text, host, link))


def _units(host: str, view: HostView) -> Finding:
    answer = view.answer("base.failed-units")
    ask = on_host(host, "systemctl", "list-units", "--failed")
    if not answer.known:
        return unknown("base.units.failed", answer.problem, host, ask)
    if answer.value["exit_code"]:
        why = answer.value["stderr"].strip() or f"exit code {answer.value['exit_code']}"
        return unknown("base.units.failed", f"systemctl: {why}", host, ask)
    failed = [line.split()[0] for line in answer.value["stdout"].splitlines() if line.strip()]
    if failed:
        return Finding("base.units.failed", Level.WARN, f"failed: {', '.join(failed)}", host)
    return Finding("base.units.failed", Level.OK, "no failed unit", host)

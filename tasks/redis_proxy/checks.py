"""Health of the entry to Redis; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import Finding, Level, Unread, unknown
from keybuzz.model.core.live import Live, Member, Topology
from keybuzz.model.core.proposed import on_host
from keybuzz.model.services.entries import first_reason, parity
from tasks.redis_proxy.members import CFG, Proxy, Way, proxies
from tasks.redis_proxy.values import PROGRAM, REDIS_PORT, STALE_AFTER, UNIT, WATCHER

_ALIKE = (
    CFG,
    f"file:{WATCHER}/watcher.json",
    f"file:{WATCHER}/redis_watcher.py",
    f"file:{PROGRAM}",
    f"systemd-unit:{UNIT}",
)
_EVERYWHERE = (f"0.0.0.0:{REDIS_PORT}", f"*:{REDIS_PORT}")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every host, good ones too."""
    return (
        *(_reachable(live, server.name) for server in live.members),
        *(finding for proxy in proxies(live).values() for finding in _proxy(proxy)),
        _parity(live),
    )


def not_carrying(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts does not lead to the master, or None when all do."""
    return first_reason(proxies(live), hosts, _carrying)


def not_good(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts is not proven to be as described, or None when all are."""
    return first_reason(proxies(live), hosts, lambda proxy: (_loaded(proxy), *_serving(proxy)))


def misled(live: Live, hosts: Iterable[str]) -> str | None:
    """Return what is wrong through a load balancer that answers these hosts, or None; one may be silent."""
    return first_reason(proxies(live), hosts, _balancers)


def topology(live: Live) -> Topology:
    """Return where each host leads, and how many are connected, for people."""
    lines = tuple(
        Member(
            proxy.host,
            "entry",
            "serves"
            if first_reason(proxies(live), [proxy.host], _serving) is None
            else "does not serve",
            (
                ("master", ", ".join(proxy.routes or ()) or "none"),
                ("clients", "?" if proxy.clients is None else str(proxy.clients)),
                ("watcher", _age(proxy)),
            ),
        )
        for proxy in proxies(live).values()
    )
    missing = tuple(Member(host, "entry", "unreachable") for host in live.unreachable)
    return Topology("redis-proxy", (*lines, *missing))


def _age(proxy: Proxy) -> str:
    age = proxy.heartbeat.age
    return "no success yet" if age is None else f"{age} s ago"


def _reachable(live: Live, host: str) -> Finding:
    check = "redis-proxy.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _proxy(proxy: Proxy) -> tuple[Finding, ...]:
    return (_loaded(proxy), *_serving(proxy), *_balancers(proxy))


def _carrying(proxy: Proxy) -> tuple[Finding, ...]:
    return (_route(proxy), _listens(proxy))


def _serving(proxy: Proxy) -> tuple[Finding, ...]:
    return (*_carrying(proxy), _watcher(proxy), _write(proxy))


def _route(proxy: Proxy) -> Finding:
    """Exactly one address gets sessions, and it is what every Sentinel that answers calls the master."""
    check = "redis-proxy.backend.single"
    if proxy.routes is None:
        hint = on_host(proxy.host, "docker", "logs", "--tail", "20", "haproxy-redis")
        return Finding(check, Level.CRITICAL, "HAProxy does not answer", proxy.host, hint)
    sent = ", ".join(proxy.routes) or "no node"
    named = {master for _, master in proxy.named if master}
    said = " and ".join(sorted(named)) or "no node"
    if len(proxy.routes) == 1 and set(proxy.routes) == named:
        return Finding(check, Level.OK, f"sessions go to {sent}, Sentinel's master", proxy.host)
    silent = ", ".join(host for host, master in proxy.named if not master)
    text = f"sessions go to {sent}, and the Sentinels name {said}"
    text += f" ({silent} names no node)" if silent else ""
    return Finding(check, Level.CRITICAL, text, proxy.host, "kbz health redis")


def _watcher(proxy: Proxy) -> Finding:
    """A watcher that died, or never worked, once went unnoticed until the next failover."""
    check, beat = "redis-proxy.watcher", proxy.heartbeat
    if not proxy.watches:
        text = "the watcher is stopped: no failover is followed from now on"
        start = on_host(proxy.host, "systemctl", "start", UNIT)
        return Finding(check, Level.CRITICAL, text, proxy.host, start)
    if beat.age is not None and beat.age <= STALE_AFTER:
        return Finding(check, Level.OK, f"followed Sentinel {beat.age} s ago", proxy.host)
    why = f": {beat.trouble}" if beat.trouble else ""
    when = (
        "has had no success yet" if beat.age is None else f"had its last success {beat.age} s ago"
    )
    hint = on_host(proxy.host, "journalctl", "-u", UNIT, "-n", "20")
    return Finding(check, Level.CRITICAL, f"the watcher {when}{why}", proxy.host, hint)


def _loaded(proxy: Proxy) -> Finding:
    """A reload that fails leaves the process before at work: then file and process differ."""
    check = "redis-proxy.loaded"
    if proxy.mark and proxy.mark == proxy.described_mark:
        return Finding(check, Level.OK, "HAProxy runs the described configuration", proxy.host)
    return Finding(
        check,
        Level.CRITICAL,
        f"HAProxy runs {proxy.mark or 'an unknown configuration'}, described is {proxy.described_mark}",
        proxy.host,
        on_host(proxy.host, "docker", "logs", "--tail", "20", "haproxy-redis"),
    )


def _listens(proxy: Proxy) -> Finding:
    """On every address: one host's own, or a load balancer's, would be a bind that fails or is never reached."""
    check = "redis-proxy.listens"
    if isinstance(proxy.listeners, Unread):
        hint = on_host(proxy.host, "ss", "-ltn")
        return unknown(check, proxy.listeners.why, proxy.host, hint)
    if set(proxy.listeners) & set(_EVERYWHERE):
        return Finding(check, Level.OK, f"0.0.0.0, port {REDIS_PORT}", proxy.host)
    found = ", ".join(proxy.listeners) or "no listener"
    return Finding(check, Level.CRITICAL, f"not on 0.0.0.0:{REDIS_PORT}: {found}", proxy.host)


def _write(proxy: Proxy) -> Finding:
    check, way = "redis-proxy.write", proxy.master
    if way.wrong:
        text = f"an application cannot write through {REDIS_PORT}: {way.wrong}"
        return Finding(check, Level.CRITICAL, text, proxy.host)
    return Finding(check, Level.OK, _proven(str(REDIS_PORT), way), proxy.host)


def _proven(place: str, way: Way) -> str:
    return f"a write through {place} works" if way.written else f"{place} leads to the master"


def _balancers(proxy: Proxy) -> tuple[Finding, ...]:
    """The provider's load balancers are not ours: silence is a warning, a wrong answer is not."""
    findings = []
    for address, way in proxy.balancers:
        reason = way.wrong
        if not reason:
            level, text = Level.OK, _proven(address, way)
        elif way.answered:
            level, text = Level.CRITICAL, f"through {address}: {reason}"
        else:
            level, text = Level.WARN, f"{address} does not answer from here: {reason}"
        hint = "kbz lb show, kbz lb check" if reason else ""
        findings.append(Finding("redis-proxy.balancer", level, text, proxy.host, hint))
    return tuple(findings)


def _parity(live: Live) -> Finding:
    return parity("redis-proxy.parity", live, _ALIKE, "kbz drift redis-proxy")

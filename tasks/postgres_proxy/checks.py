"""Health of the entry to PostgreSQL; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import Finding, Level, Unread, unknown
from keybuzz.model.core.live import Live, Member, Topology
from keybuzz.model.core.proposed import on_host
from keybuzz.model.services.entries import first_reason, parity
from tasks.postgres_proxy.members import PORTS, Proxy, proxies
from tasks.postgres_proxy.values import HAPROXY_CONFIGURATION, PGBOUNCER_CONFIGURATION

_ALIKE = (
    f"file:{HAPROXY_CONFIGURATION}/haproxy.cfg",
    f"file:{PGBOUNCER_CONFIGURATION}/pgbouncer.ini",
    f"file:{PGBOUNCER_CONFIGURATION}/userlist.txt",
)
_EVERYWHERE = ("0.0.0.0", "*")


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every host, good ones too."""
    found = proxies(live)
    return (
        *(_reachable(live, server.name) for server in live.members),
        *(finding for proxy in found.values() for finding in _proxy(proxy)),
        _parity(live),
    )


def not_carrying(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts cannot carry sessions, or None when all can.

    No login is made for this: a host that is still to be changed may not know the described password yet.
    """
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
                ("leader", ", ".join(proxy.servers_up or ()) or "none"),
                ("clients", _number(proxy.clients)),
                ("pooled clients", _number(proxy.pooled)),
            ),
        )
        for proxy in proxies(live).values()
    )
    missing = tuple(Member(host, "entry", "unreachable") for host in live.unreachable)
    return Topology("postgres-proxy", (*lines, *missing))


def _reachable(live: Live, host: str) -> Finding:
    if host in live.unreachable:
        return Finding("postgres-proxy.reachable", Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding("postgres-proxy.reachable", Level.UNKNOWN, "was not asked", host)
    return Finding("postgres-proxy.reachable", Level.OK, "answers", host)


def _proxy(proxy: Proxy) -> tuple[Finding, ...]:
    return (_loaded(proxy), *_serving(proxy), *_balancers(proxy))


def _carrying(proxy: Proxy) -> tuple[Finding, ...]:
    return (_single(proxy), _listens(proxy))


def _serving(proxy: Proxy) -> tuple[Finding, ...]:
    return (*_carrying(proxy), _login(proxy))


def _single(proxy: Proxy) -> Finding:
    """Exactly one server gets sessions, and it is the one that Patroni calls the primary."""
    check = "postgres-proxy.backend.single"
    if proxy.servers_up is None:
        hint = on_host(proxy.host, "docker", "logs", "--tail", "20", "haproxy")
        return Finding(check, Level.CRITICAL, "HAProxy does not answer", proxy.host, hint)
    sent = ", ".join(proxy.servers_up) or "no member"
    primaries = ", ".join(proxy.primaries) or "none"
    if len(proxy.servers_up) == 1 and proxy.servers_up == proxy.primaries:
        return Finding(check, Level.OK, f"sessions go to {sent}, the primary", proxy.host)
    text = f"sessions go to {sent}, and Patroni's primary is {primaries}"
    if proxy.silent:
        text += f" ({', '.join(proxy.silent)} does not answer)"
    return Finding(check, Level.CRITICAL, text, proxy.host, "kbz health patroni")


def _loaded(proxy: Proxy) -> Finding:
    """A reload that fails leaves the process before at work: then file and process differ."""
    check = "postgres-proxy.loaded"
    if proxy.mark and proxy.mark == proxy.described_mark:
        return Finding(check, Level.OK, "HAProxy runs the described configuration", proxy.host)
    runs = proxy.mark or "an unknown configuration"
    return Finding(
        check,
        Level.CRITICAL,
        f"HAProxy runs {runs}, described is {proxy.described_mark}",
        proxy.host,
        on_host(proxy.host, "docker", "logs", "--tail", "20", "haproxy"),
    )


def _listens(proxy: Proxy) -> Finding:
    """On every address: one host's own, or a load balancer's, would be a bind that fails or is never reached."""
    check = "postgres-proxy.listens"
    if isinstance(proxy.listeners, Unread):
        hint = on_host(proxy.host, "ss", "-ltn")
        return unknown(check, proxy.listeners.why, proxy.host, hint)
    addresses = {port: _addresses(proxy.listeners, port) for port in PORTS}
    wrong = [
        f"{port}: {', '.join(found) or 'no listener'}"
        for port, found in addresses.items()
        if not set(found) & set(_EVERYWHERE)
    ]
    if not wrong:
        text = f"0.0.0.0, ports {', '.join(map(str, PORTS))}"
        return Finding(check, Level.OK, text, proxy.host)
    hint = f"docker restart of that container, when the other host serves; now it is {proxy.host}"
    return Finding(check, Level.CRITICAL, f"not on 0.0.0.0: {'; '.join(wrong)}", proxy.host, hint)


def _addresses(listeners: tuple[str, ...], port: int) -> list[str]:
    found = (item.rpartition(":") for item in listeners)
    return [address for address, _, number in found if number == str(port)]


def _login(proxy: Proxy) -> Finding:
    check = "postgres-proxy.login"
    for port, session in proxy.sessions:
        if not session.works:
            text = f"the application cannot work through {port}: {session.reason}"
            return Finding(check, Level.CRITICAL, text, proxy.host)
    ports = " and ".join(str(port) for port, _ in proxy.sessions)
    return Finding(check, Level.OK, f"{ports} lead the application to the primary", proxy.host)


def _balancers(proxy: Proxy) -> tuple[Finding, ...]:
    """The provider's load balancers are not ours: silence is a warning, a wrong answer is not."""
    findings = []
    for address, session in proxy.balancers:
        if session.works:
            level, text = Level.OK, f"{address} leads the application to the primary"
        elif session.answered:
            level, text = Level.CRITICAL, f"through {address}: {session.reason}"
        else:
            level, text = Level.WARN, f"{address} does not answer from here: {session.reason}"
        hint = "" if session.works else "kbz lb show, kbz lb check"
        findings.append(Finding("postgres-proxy.balancer", level, text, proxy.host, hint))
    return tuple(findings)


def _parity(live: Live) -> Finding:
    return parity("postgres-proxy.parity", live, _ALIKE, "kbz run postgres-proxy")


def _number(found: int | None) -> str:
    return "?" if found is None else str(found)

"""Health of the entry to RabbitMQ; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import Finding, Level, Unread, unknown
from keybuzz.model.core.live import Live, Member, Topology
from keybuzz.model.core.proposed import on_host
from keybuzz.model.services.entries import first_reason, parity
from tasks.rabbitmq_proxy.members import CFG, Proxy, proxies, refusal
from tasks.rabbitmq_proxy.values import PORT

NODES = 3
"""All of them: every node serves any quorum queue."""
_EVERYWHERE = {f"0.0.0.0:{PORT}", f"*:{PORT}"}


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every host, good ones too."""
    return (
        *(_reachable(live, server.name) for server in live.members),
        *(
            finding
            for proxy in proxies(live).values()
            for finding in (*_serving(proxy), _all_nodes(proxy), *_balancers(proxy))
        ),
        _parity(live),
    )


def not_good(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts is not proven to serve as described, or None when all do."""
    return first_reason(proxies(live), hosts, _serving)


def not_carrying(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts cannot carry connections, whatever configuration it runs with, or None."""
    return first_reason(proxies(live), hosts, lambda proxy: (_listens(proxy), _login(proxy)))


def topology(live: Live) -> Topology:
    """Return which nodes each host leads to, for people."""
    lines = tuple(
        Member(
            proxy.host,
            "entry",
            "serves" if not_carrying(live, [proxy.host]) is None else "does not serve",
            (("nodes", ", ".join(proxy.servers_up or ()) or "none"),),
        )
        for proxy in proxies(live).values()
    )
    missing = tuple(Member(host, "entry", "unreachable") for host in live.unreachable)
    return Topology("rabbitmq-proxy", (*lines, *missing))


def _serving(proxy: Proxy) -> tuple[Finding, ...]:
    return (_loaded(proxy), _listens(proxy), _login(proxy))


def _reachable(live: Live, host: str) -> Finding:
    check = "rabbitmq-proxy.reachable"
    if host in live.unreachable:
        return Finding(check, Level.UNKNOWN, live.unreachable[host], host)
    if host not in live.hosts:
        return Finding(check, Level.UNKNOWN, "was not asked", host)
    return Finding(check, Level.OK, "answers", host)


def _loaded(proxy: Proxy) -> Finding:
    """A reload that fails leaves the process before at work: then file and process differ."""
    check = "rabbitmq-proxy.loaded"
    if proxy.mark and proxy.mark == proxy.described_mark:
        return Finding(check, Level.OK, "HAProxy runs the described configuration", proxy.host)
    runs = proxy.mark or "an unknown configuration"
    text = f"HAProxy runs {runs}, described is {proxy.described_mark}"
    hint = on_host(proxy.host, "docker", "logs", "--tail", "20", "haproxy-rabbitmq")
    return Finding(check, Level.CRITICAL, text, proxy.host, hint)


def _listens(proxy: Proxy) -> Finding:
    check = "rabbitmq-proxy.listens"
    if isinstance(proxy.listeners, Unread):
        hint = on_host(proxy.host, "ss", "-ltn")
        return unknown(check, proxy.listeners.why, proxy.host, hint)
    if set(proxy.listeners) & _EVERYWHERE:
        return Finding(check, Level.OK, f"0.0.0.0:{PORT}", proxy.host)
    text = f"not on 0.0.0.0: {', '.join(proxy.listeners) or 'no listener'}"
    return Finding(check, Level.CRITICAL, text, proxy.host)


def _login(proxy: Proxy) -> Finding:
    check = "rabbitmq-proxy.login"
    if reason := refusal(proxy.login):
        text = f"the application does not get in: {reason}"
        return Finding(check, Level.CRITICAL, text, proxy.host, "kbz health rabbitmq")
    return Finding(check, Level.OK, "the application gets in by AMQP", proxy.host)


def _all_nodes(proxy: Proxy) -> Finding:
    """Fewer nodes still serve: that one is away is the cluster's finding, and no reason to stop a roll here."""
    check, found = "rabbitmq-proxy.backend.nodes", proxy.servers_up
    if not found:
        return Finding(check, Level.CRITICAL, "no node gets connections", proxy.host)
    level = Level.OK if len(found) == NODES else Level.WARN
    return Finding(check, level, f"connections go to {', '.join(found)}", proxy.host)


def _balancers(proxy: Proxy) -> tuple[Finding, ...]:
    """The provider's load balancers are not ours: silence is a warning, a wrong answer is not."""
    findings = []
    for address, answer in proxy.balancers:
        reason = refusal(answer)
        wrong = Level.CRITICAL if answer.known else Level.WARN
        text = f"through {address}: {reason or 'the application gets in'}"
        hint = "kbz lb show, kbz lb check" if reason else ""
        level = wrong if reason else Level.OK
        findings.append(Finding("rabbitmq-proxy.balancer", level, text, proxy.host, hint))
    return tuple(findings)


def _parity(live: Live) -> Finding:
    return parity("rabbitmq-proxy.parity", live, (CFG,), "kbz run rabbitmq-proxy")

"""Health of the entry to MariaDB; the same functions are the gates of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import HostView, Live, Member, Topology
from tasks.proxysql.desired import DEFAULTS, PLACES, SERVERS
from tasks.proxysql.members import (
    admin_problem,
    checked,
    listeners,
    login_problem,
    paused,
    raised,
    table,
    variables,
    writers,
)
from tasks.proxysql.parity import alike
from tasks.proxysql.service.resources import ProxysqlVariables
from tasks.proxysql.values import ADMIN_PORT, INTERVAL, OFFLINE, PORT

STALE = 3 * INTERVAL
"""Milliseconds after which a sample of the monitor says nothing of now."""


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every check on every host, good ones too."""
    return (
        *(_reachable(live, server.name) for server in live.members),
        *(
            f
            for host, view in live.hosts.items()
            for f in (*_serving(host, view), *_rest(host, view))
        ),
        alike(live),
    )


def not_good(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why one of these hosts is not proven good, or None when all are."""
    for host in hosts:
        if host not in live.hosts:
            return f"{host} does not answer"
        for finding in _serving(host, live.hosts[host]):
            if finding.level >= Level.UNKNOWN:
                return f"{host}: {finding.message}"
    return None


def not_carrying(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why the application does not come through one of these hosts, whatever else is wrong there, or None."""
    for host in hosts:
        if host not in live.hosts:
            return f"{host} does not answer"
        if paused(live.hosts[host]):
            return f"{host} takes no new session"
        if (finding := _login(host, live.hosts[host])).level >= Level.UNKNOWN:
            return f"{host}: {finding.message}"
    return None


def misled(live: Live, hosts: Iterable[str]) -> str | None:
    """Return what is wrong through a load balancer that answers these hosts, or None; it may be silent."""
    for host in hosts:
        for finding in _balancers(host, live.hosts[host]) if host in live.hosts else ():
            if finding.level >= Level.UNKNOWN:
                return f"{host}: {finding.message}"
    return None


def topology(live: Live) -> Topology:
    """Return where each host leads, for people."""
    lines = [
        Member(
            host,
            "entry",
            "serves" if not_good(live, [host]) is None else "does not serve",
            (("writer", ", ".join(writers(view) or ()) or "none"),),
        )
        for host, view in live.hosts.items()
    ]
    lines += [Member(host, "entry", "unreachable") for host in live.unreachable]
    return Topology("proxysql", tuple(lines))


def _reachable(live: Live, host: str) -> Finding:
    if host in live.hosts:
        return Finding("proxysql.reachable", Level.OK, "answers", host)
    why = live.unreachable.get(host, "was not asked")
    return Finding("proxysql.reachable", Level.UNKNOWN, why, host)


def _serving(host: str, view: HostView) -> tuple[Finding, ...]:
    return (_listens(host, view), _writer(host, view), _login(host, view))


def _rest(host: str, view: HostView) -> tuple[Finding, ...]:
    # A password that everybody knows, where the store has it too, is ended by a rotation and holds no run back.
    return (
        _default(host, view),
        _raised(host, view),
        _monitor(host, view),
        *_balancers(host, view),
    )


def _listens(host: str, view: HostView) -> Finding:
    check = "proxysql.listens"
    traffic, admin = listeners(view, PORT), listeners(view, ADMIN_PORT)
    if paused(view):
        text = f"{PORT} takes no new session: PROXYSQL PAUSE is on"
        return Finding(check, Level.CRITICAL, text, host, "kbz run proxysql")
    if not set(traffic) & {"0.0.0.0", "*"}:
        text = f"{PORT} is not open on 0.0.0.0: {', '.join(traffic) or 'no listener'}"
        return Finding(check, Level.CRITICAL, text, host, "kbz run proxysql")
    if set(admin) != {"127.0.0.1"}:
        text = f"the admin port must be open on 127.0.0.1 only: {', '.join(admin) or 'no listener'}"
        return Finding(check, Level.CRITICAL, text, host, "kbz run proxysql")
    return Finding(check, Level.OK, f"0.0.0.0:{PORT}, 127.0.0.1:{ADMIN_PORT}", host)


def _default(host: str, view: HostView) -> Finding:
    check, found = "proxysql.default-login", table(view, DEFAULTS)
    if found is None:
        return unknown(check, admin_problem(view), host)
    if found:
        text = f"a login that everybody knows is let in: {', '.join(row[0] for row in found)}"
        differs = any(isinstance(change.resource, ProxysqlVariables) for change in view.changes)
        way_out = "kbz run proxysql" if differs else "kbz secrets rotate proxysql-admin"
        return Finding(check, Level.CRITICAL, text, host, way_out)
    return Finding(check, Level.OK, "admin:admin and stats:stats are refused", host)


def _writer(host: str, view: HostView) -> Finding:
    check, found = "proxysql.writer.single", writers(view)
    if found is None:
        answer, why = view.answer("proxysql.admin"), admin_problem(view)
        hint = "PROXYSQL_ADMIN_PASSWORD is not what proxysql.db holds" if answer.known else ""
        return Finding(check, Level.CRITICAL, f"the admin port does not answer: {why}", host, hint)
    if len(found) != 1:
        text = f"{len(found)} writers: {', '.join(found) or 'none'}"
        return Finding(check, Level.CRITICAL, text, host, "kbz health galera")
    return Finding(check, Level.OK, f"one writer, {found[0]}", host)


def _login(host: str, view: HostView) -> Finding:
    """Both ways in, so that it is said which side refuses the application."""
    check, through = "proxysql.login", login_problem(view.answer("proxysql.through"))
    if not through:
        return Finding(check, Level.OK, "the application reaches the writer", host)
    direct = {
        n: login_problem(view.answers[n]) for n in view.answers if n.startswith("proxysql.direct.")
    }
    if any(not problem for problem in direct.values()):
        text = f"directly MariaDB lets the application in, through ProxySQL not: {through}"
        return Finding(check, Level.CRITICAL, text, host, "kbz drift proxysql")
    text = f"neither through ProxySQL ({through}) nor directly ({next(iter(direct.values()), '?')})"
    return Finding(check, Level.CRITICAL, text, host, "kbz health galera")


def _raised(host: str, view: HostView) -> Finding:
    check = "proxysql.writer.raised"
    if not (places := table(view, PLACES)):
        why = admin_problem(view) if places is None else "it names no servers"
        return unknown(check, why, host)
    if not (node := raised(view)):
        return Finding(check, Level.OK, "no node is raised above the others", host)
    text = f"{node} is raised above the others, in memory only: after its next start it leads elsewhere"
    hint = "while no restart of Galera is at work, kbz run galera takes it back, frozen or not"
    return Finding(check, Level.WARN, text, host, hint)


def _monitor(host: str, view: HostView) -> Finding:
    """The newest check of each node, not its runtime status, is its health (facts/08)."""
    check, found = "proxysql.monitor", checked(view)
    servers = table(view, SERVERS)
    if servers is None:
        return unknown(check, admin_problem(view), host)
    if variables(view).get("mysql-monitor_enabled") == "false":
        text = "the monitor is switched off: no session is led away from a node that fails"
        return Finding(check, Level.CRITICAL, text, host, "kbz run proxysql")
    away = [row[1] for row in servers if row[0] == OFFLINE]
    # Of a node that was taken out of the servers old samples stay, and one that is offline is asked no more.
    found = {row[1]: found[row[1]] for row in servers if row[1] in found}
    late = sorted(node for node, row in found.items() if old(row[3]) and node not in away)
    bad = [
        f"{node}: {why or f'state {state}, primary {primary}'}"
        for node, (primary, state, why, _) in found.items()
        if node not in late and (why or primary != "YES" or state != "4")
    ]
    if unseen := sorted({row[1] for row in servers} - found.keys()):
        text = f"the monitor has checked no node: {', '.join(unseen)}"
        return Finding(check, Level.CRITICAL, text, host)
    if bad or away:
        text = "; ".join(bad) or f"offline: {', '.join(away)}"
        return Finding(check, Level.CRITICAL, text, host, "kbz health galera")
    if late:
        text = f"the monitor has not looked at {', '.join(late)} for more than {STALE / 1000:g} s"
        return unknown(check, text, host)
    return Finding(check, Level.OK, f"{len(found)} nodes are Synced", host)


def old(age: str) -> bool:
    """Return whether a sample is too old to say anything; one whose age cannot be read is."""
    return not age.lstrip("-").isdecimal() or int(age) > STALE


def _balancers(host: str, view: HostView) -> tuple[Finding, ...]:
    """The provider's load balancer is not ours: silence is a warning, a wrong answer is not."""
    findings = []
    for name in (name for name in view.answers if name.startswith("proxysql.balancer.")):
        answer, address = view.answers[name], name.removeprefix("proxysql.balancer.")
        problem = login_problem(answer)
        level = Level.WARN if not answer.known else Level.CRITICAL if problem else Level.OK
        text = f"through {address}: {problem or 'the application reaches the writer'}"
        hint = "kbz lb show, kbz lb check" if problem else ""
        findings.append(Finding("proxysql.balancer", level, text, host, hint))
    return tuple(findings)

"""The next step for the entry to MariaDB, from its live state. Pure. One host at a time, the other proven before."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.services.entries import prepared
from tasks.proxysql.checks import misled, not_carrying, not_good
from tasks.proxysql.desired import SERVERS
from tasks.proxysql.members import started, table, up

GOOD_TIMEOUT = 90.0
"""Seconds: a first boot, three checks of each node, and a failover if one is under way."""


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    if harmless := prepared(ready):
        return harmless
    return _one_host(live, ready) if ready else _settle(live)


def refuse_foreign(live: Live) -> None:
    """An admin port that serves with another password is another's: what its database holds cannot even be read."""
    for host, view in live.hosts.items():
        answer = view.answer("proxysql.admin")
        if host in live.selected and answer.known and answer.value["denied"]:
            raise RefusedError(
                f"ProxySQL serves, and does not let the administrator of proxysql.env in: {answer.value['denied']}",
                where=host,
                hint="nothing was written; kbz adopt proxysql --take-credentials finds the live one for proxysql.env",
            )


def _one_host(live: Live, ready: list[Change]) -> Stage:
    """Change the first host that is not good, or the first of all; what interrupts no client first."""
    serving = up(live)
    calmly = {change.host for change in ready if not change.disrupts}
    host = min(
        {change.host for change in ready},
        key=lambda name: (not_good(live, [name]) is None, name not in calmly, name),
    )
    mine = tuple(change for change in ready if change.host == host)
    calm = tuple(change for change in mine if not change.disrupts)
    if host in serving and calm and calm != mine:
        # Two hosts that both refuse the application would wait for each other for ever.
        return Stage(f"change {host}", calm, after=_answers(host))
    others = [name for name in sorted(serving) if name != host]
    before = None
    if host in serving and others and any(change.disrupts for change in mine):
        before = _alone(others, {change.host for change in ready})
    later = any(change.action is Action.LATER for change in live.hosts[host].changes)
    if later:
        # What its proxysql.db holds is only known now: it is compared and written before anything is proven.
        return Stage(f"change {host}", mine, before, _answers(host))
    good = Gate(f"{host} is proven good", lambda now: not_good(now, [host]), GOOD_TIMEOUT)
    return Stage(f"change {host}", mine, before, good)


def _alone(others: list[str], waiting: set[str]) -> Gate:
    """Return what holds while only others serve; of one that is still to be changed, that it carries the application.

    What is wrong there may need its own restart, such as an admin port on all addresses: two hosts that both have it
    would wait for each other for ever.
    """
    changed = [name for name in others if name not in waiting]
    later = [name for name in others if name in waiting]

    def reason(now: Live) -> str | None:
        return not_good(now, changed) or not_carrying(now, later) or misled(now, others)

    return Gate(f"{', '.join(others)} serves alone", reason, GOOD_TIMEOUT)


def _answers(host: str) -> Gate:
    def reason(now: Live) -> str | None:
        view = now.hosts.get(host)
        if view is None:
            return f"{host} does not answer"
        if table(view, SERVERS) is None:
            answer = view.answer("proxysql.admin")
            return f"{host}: {answer.problem or answer.value['denied'] or 'no answer'}"
        return None

    return Gate(f"the admin port of {host} answers", reason, GOOD_TIMEOUT)


def _settle(live: Live) -> Stage | None:
    """Wait for hosts on their way: a run that was cut off, or a first boot."""
    hosts = [host for host, view in live.hosts.items() if started(view) and host in live.selected]

    def reason(now: Live) -> str | None:
        unread = [c for c in now.changes() if c.host in hosts and c.action is Action.LATER]
        if unread:
            # Resources are read before readings: the admin port may have begun to answer between the two.
            return f"{unread[0].host}: {unread[0].reason}"
        # What can be read now and is not as described is the next stage's, not for waiting.
        return None if any(now.changes()) else not_good(now, hosts) or misled(now, hosts)

    if not hosts or reason(live) is None:
        return None
    return Stage("wait", (), after=Gate("sessions are served", reason, GOOD_TIMEOUT))

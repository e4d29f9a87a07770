"""The entry hosts of a service, changed one at a time: the other one keeps all traffic. Pure.

Several clusters are reached through the same two hosts, each by a proxy of its own. How such a pair is
rolled does not depend on the protocol; what "good" means does, and is the module's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keybuzz.model.core.finding import Finding, Level, of_hosts, unknown
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import Directory

Proxy = TypeVar("Proxy")
Judge = Callable[[Live, Iterable[str]], str | None]
"""Why one of these hosts is not as it must be, or None."""


@dataclass(frozen=True, slots=True)
class Entries:
    """How one module judges its entry hosts."""

    serving: Callable[[Live], frozenset[str]]
    """Hosts that have something to lose: the application works through them now."""
    taking: Callable[[Live], frozenset[str]]
    """Hosts that take sessions, wherever they lead."""
    started: Callable[[Live], frozenset[str]]
    """Hosts whose programs run, good or not yet."""
    not_carrying: Judge
    """Asked of a host that is still to be changed: it may not know the described password yet."""
    not_good: Judge
    """Asked of a host that is as described."""
    misled: Judge
    """Asked through the load balancers; one that does not answer holds up nothing."""
    settled: str
    """What is waited for when nothing is left to change."""
    timeout: float
    """Seconds for each gate."""
    traffic: str = "sessions"
    split: Callable[[str, Iterable[Change]], bool] = lambda host, changes: False
    """True while the load balancer may rightly lead to another host that knows another password."""

    def next_stage(self, live: Live) -> Stage | None:
        """Return the next stage, or None when nothing is left to do."""
        ready = [change for change in live.changes() if change.action is not Action.LATER]
        if harmless := prepared(ready):
            return harmless
        return self._one_host(live, ready) if ready else self._settle(live)

    def _one_host(self, live: Live, ready: list[Change]) -> Stage:
        """Change the first host that does not work, because it has nothing to lose, or the first of all."""
        serving, taking = self.serving(live), self.taking(live)
        waiting = {change.host for change in ready}
        host = min(waiting, key=lambda name: (name in serving, name in taking, name))
        mine = tuple(change for change in ready if change.host == host)
        if host in serving:
            others = sorted(live.hosts.keys() - {host})
            before = self._carried(live, waiting, others, "")
        else:
            # One that is to be changed too may be what is wrong; none serves before the first install.
            before = self._carried(
                live, waiting, sorted(serving - waiting), f", while {host} is built"
            )
        return Stage(f"change {host}", mine, before, self._proven(host, ready))

    def _carried(self, live: Live, waiting: set[str], hosts: list[str], when: str) -> Gate | None:
        """These hosts must carry the traffic; those that are done with must be proven good."""
        done = [name for name in hosts if name in live.selected and name not in waiting]
        if not hosts:
            return None
        return Gate(
            f"{', '.join(hosts)} can carry all {self.traffic}{when}",
            lambda now: self.not_carrying(now, hosts) or self.not_good(now, done),
            self.timeout,
        )

    def _proven(self, host: str, ready: list[Change]) -> Gate:
        """By its own ports, then by the load balancer."""
        split = self.split(host, ready)
        return Gate(
            f"{host} is proven good",
            lambda now: self.not_good(now, [host]) or (None if split else self.misled(now, [host])),
            self.timeout,
        )

    def _settle(self, live: Live) -> Stage | None:
        """Wait for hosts on their way: a run that was cut off, a failover, or Docker that has just come back."""
        started = sorted(self.started(live) & live.selected)

        def reason(now: Live) -> str | None:
            return self.not_good(now, started) or self.misled(now, started)

        if not started or reason(live) is None:
            return None
        return Stage("wait", (), after=Gate(self.settled, reason, self.timeout))


def prepared(ready: Iterable[Change]) -> Stage | None:
    """Return the stage of what interrupts no client, on all hosts at once, or None: directories and images."""
    harmless = [change for change in ready if isinstance(change.resource, (Directory, Image))]
    return Stage("directories and images", tuple(harmless)) if harmless else None


def first_reason(
    proxies: Mapping[str, Proxy],
    hosts: Iterable[str],
    judge: Callable[[Proxy], Iterable[Finding]],
) -> str | None:
    """Return what is first found wrong on one of these hosts, or None."""
    for host in hosts:
        if host not in proxies:
            return f"{host} does not answer"
        for finding in judge(proxies[host]):
            if not finding.good:
                return f"{host}: {finding.message}"
    return None


def parity(check: str, live: Live, identities: Sequence[str], cure: str) -> Finding:
    """Return whether all hosts have the same files: a client that comes by another host must find the same.

    Files that were read and differ are told first, whatever could not be read; `cure` is the command that mends them.
    """
    differing = [identity for identity in identities if len(_digests(live, identity)) > 1]
    if differing:
        names = (identity.rpartition(":")[2].rpartition("/")[2] for identity in differing)
        text = f"not the same on all hosts: {', '.join(names)}"
        return Finding(check, Level.CRITICAL, text, hint=cure)
    unread = of_hosts(
        (host, why)
        for host, view in live.hosts.items()
        for identity in identities
        if (why := view.unread(identity))
    )
    if unread is not None:
        return unknown(check, unread.why, hint=proposed("kbz", "plan", check.rpartition(".")[0]))
    if len(live.hosts) < len(live.members):
        seen = f"{len(live.hosts)} of {len(live.members)} hosts"
        return Finding(check, Level.UNKNOWN, f"only {seen} can be compared")
    return Finding(check, Level.OK, "all hosts have the same files")


def _digests(live: Live, identity: str) -> set[object]:
    views = (view for view in live.hosts.values() if not view.unread(identity))
    return {view.attribute(identity, "digest") for view in views}

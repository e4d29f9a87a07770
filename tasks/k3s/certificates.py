"""Days that the certificates of a K3s node are good for, and what renews them. Pure.

K3s makes them for 365 days and renews at its start what ends within 120 days (pkg/daemons/config of v1.33; 90 days
before v1.33.1). Of one that has ended no node speaks to another. Its authorities last ten years, and no start renews
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, TypedDict

from keybuzz.model.core.access import Looks
from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.resource import Json

STATE = "/var/lib/rancher/k3s"
SERVERS = (f"{STATE}/server/tls", f"{STATE}/server/tls/etcd")
NODES = (f"{STATE}/agent",)
SOON = 14
"""Days that are critical: a restart of eight nodes, one at a time, must find its time."""
OF_AUTHORITY = 365
"""Days before the end of an authority that are told: its successor must issue every certificate again."""
_DAY, _LAST = 86_400, 253_402_300_799
"""Seconds of a day, and the last one of the year 9999: a host may say anything."""
CHECK = "k3s.certificates.valid"


class CertificatesAnswer(TypedDict):
    """Of K3sCertificates."""

    ends: dict[str, int]
    """By path: seconds since the epoch."""
    now: int
    """The host's clock, in the same."""


@dataclass(frozen=True, slots=True)
class K3sCertificates(Looks):
    """When the certificates in these folders end; their keys are not read."""

    answers: ClassVar[type] = CertificatesAnswer
    name: str
    folders: tuple[str, ...]
    days: int
    """Before its end: a certificate that ends earlier is told of."""

    def query(self) -> Json:
        """Return the agent's frame."""
        return {"kind": "k3s-certificates", "name": self.name, "folders": list(self.folders)}


def valid(view: HostView) -> Finding:
    """Tell the certificate that ends first, of those that are judged worst."""
    host, answer = view.server.name, view.answer("k3s.certificates")
    asked = next((one for one in view.readings if isinstance(one, K3sCertificates)), None)
    if asked is None or not answer.known:
        return unknown(CHECK, answer.problem, host)
    ends: Mapping[str, int] = answer.value["ends"]
    if not ends:
        return unknown(CHECK, f"no certificate lies in {STATE}: K3s has never started here", host)
    found = [
        _judged(asked.days, host, path, end, answer.value["now"]) for path, end in ends.items()
    ]
    order = (Level.CRITICAL, Level.WARN, Level.OK)
    return min(found, key=lambda one: (order.index(one[1].level), one[0]))[1]


def _judged(least: int, host: str, path: str, end: int, now: int) -> tuple[int, Finding]:
    """Return when one certificate ends, and what that means."""
    days = (end - now) // _DAY
    when = datetime.fromtimestamp(min(max(end, 0), _LAST), UTC).strftime("%Y-%m-%d")
    name = path.removeprefix(f"{STATE}/")
    ending = f"{name} ended on {when}" if end <= now else f"{name} ends in {days} days, on {when}"
    if "-ca." in path:
        return end, _authority(host, ending, days)
    level = Level.CRITICAL if days < SOON else Level.WARN
    if days >= least:
        return end, Finding(CHECK, Level.OK, f"{ending}; it ends first", host)
    hint = f"{proposed('kbz', 'restart', 'k3s', '--limit', host)} renews it"
    return end, Finding(CHECK, level, ending, host, hint)


def _authority(host: str, ending: str, days: int) -> Finding:
    if days >= OF_AUTHORITY:
        return Finding(CHECK, Level.OK, f"{ending}; it ends first", host)
    level = Level.CRITICAL if days < SOON else Level.WARN
    return Finding(
        CHECK,
        level,
        ending,
        host,
        "no restart renews an authority: k3s certificate rotate-ca, by hand",
    )

"""Hosts in maintenance: what is wrong with them is expected until their time is over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from keybuzz.engine.look.causes import of_another
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.inventory.maintenance import Maintenance, over, resting
from keybuzz.site.module import Module
from keybuzz.site.site import Site


def in_maintenance(site: Site, seconds: float) -> dict[str, Maintenance]:
    """Return the hosts of the site that are in maintenance at a moment, in seconds since the epoch."""
    known = {server.name for server in site.servers}
    found = resting(site.policies.maintenance, seconds)
    return {host: entry for host, entry in found.items() if host in known}


def in_maintenance_now(site: Site) -> dict[str, Maintenance]:
    """Return the hosts of the site that are in maintenance."""
    return in_maintenance(site, time.time())


def ended(
    site: Site, seconds: float, modules: Iterable[Module], hosts: Iterable[str]
) -> Iterator[Finding]:
    """Yield a finding for each of these hosts whose maintenance has ended and is still noted."""
    sayers = [module.maintenance_over for module in modules]
    asked = frozenset(hosts)
    for entry in over(site.policies.maintenance, seconds):
        if entry.host in asked:
            yield from (say(entry) for say in sayers if say is not None)


def eased(findings: Iterable[Finding], hosts: Mapping[str, Maintenance]) -> tuple[Finding, ...]:
    """Return the findings; those about a host in maintenance are good, and say what they were.

    Of a whole cluster, and of its other members, only what names such a host and is not critical: a cluster that does
    not serve is a fault whatever is planned.
    """
    return tuple(_eased(finding, hosts) for finding in findings) if hosts else tuple(findings)


def _eased(finding: Finding, hosts: Mapping[str, Maintenance]) -> Finding:
    if finding.level is Level.OK:
        return finding
    entry = hosts.get(finding.host)
    if entry is None and finding.level is not Level.CRITICAL:
        entry = next((hosts[name] for name in hosts if _names(finding, name)), None)
    if entry is None:
        return finding
    whose = "" if entry.host == finding.host else f"{entry.host} is "
    message = f"{whose}{entry.words} (was {finding.level.word}: {finding.message})"
    return replace(finding, level=Level.OK, message=message, hint="", cause="")


def _names(finding: Finding, host: str) -> bool:
    """Return whether a finding is about others because of a host: it names it, or could not ask it."""
    words = finding.message.replace(",", " ").replace(":", " ").replace(";", " ").split()
    return host in words and (not finding.host or not of_another(finding))

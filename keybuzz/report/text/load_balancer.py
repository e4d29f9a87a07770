"""The provider's load balancers as text and as a document. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from keybuzz.model.services.load_balancer import Balancer, Probe, Verdict, health_check

FORMAT_VERSION = 1
_HEADER = ("LOAD BALANCER", "PORT", "PLACE", "ADDRESS", "VERDICT", "WHAT WAS FOUND")


def settings_text(balancers: Sequence[Balancer]) -> str:
    """Return what to set at the provider by hand, as a list to work through."""
    sections = [_one(balancer) for balancer in balancers]
    return "\n\n".join(["Set by hand at the provider; `kbz lb check` verifies it.", *sections])


def _one(balancer: Balancer) -> str:
    virtual = balancer.virtual
    where = "private network only, no public address" if balancer.private else "public"
    lines = [f"{virtual.name}: {virtual.address}, {where}; round robin, no proxy protocol"]
    for port in virtual.ports:
        lines.append(f"  {port} → {port}   check: {health_check(port)}")
    targets = ", ".join(f"{server.name} {server.address}" for server in balancer.targets)
    lines.append(f"  targets, by private address: {targets}")
    return "\n".join(lines)


def settings_document(balancers: Sequence[Balancer]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "load_balancers": [
            {
                "name": balancer.virtual.name,
                "address": str(balancer.virtual.address),
                "private": balancer.private,
                "services": [
                    {"port": port, "check": health_check(port)} for port in balancer.virtual.ports
                ],
                "targets": [
                    {"name": server.name, "address": str(server.address)}
                    for server in balancer.targets
                ],
            }
            for balancer in balancers
        ],
    }


def check_text(probes: Sequence[Probe]) -> str:
    """Return a line for each place, and how many were checked at all."""
    rows = [_HEADER, *(_cells(probe) for probe in probes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    count = Counter(probe.verdict for probe in probes)
    services = {(probe.balancer, probe.port) for probe in probes}
    looked = {(p.balancer, p.port) for p in probes if p.verdict is not Verdict.NOT_CHECKED}
    words = [f"checked {len(looked)} of {len(services)} services"]
    words += [f"{count[verdict]} {verdict.value}" for verdict in Verdict if count[verdict]]
    return "\n".join([*lines, "", "; ".join(words)])


def check_document(probes: Sequence[Probe]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "probes": [
            {
                "load_balancer": probe.balancer,
                "port": probe.port,
                "place": probe.place,
                "address": probe.address,
                "verdict": probe.verdict.value,
                "message": probe.message,
            }
            for probe in probes
        ],
    }


def _cells(probe: Probe) -> tuple[str, ...]:
    verdict = probe.verdict.value
    port = str(probe.port)
    return (probe.balancer, port, probe.place, probe.address, verdict, probe.message)

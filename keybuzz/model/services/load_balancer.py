"""The provider's load balancers: what must be set there, and what was found behind them (LB-1, LB-2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from keybuzz.model.inventory.server import Server, VirtualAddress


@dataclass(frozen=True, slots=True)
class Balancer:
    """One load balancer with the servers that it leads to."""

    virtual: VirtualAddress
    targets: tuple[Server, ...]

    @property
    def private(self) -> bool:
        """True when it has no public address: only websites are for everybody."""
        return not any(port in (80, 443) for port in self.virtual.ports)


class Verdict(Enum):
    """What was found at one address and port."""

    GOOD = "good"
    BAD = "bad"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Probe:
    """One service of a load balancer, asked at its own address or at one target."""

    balancer: str
    port: int
    place: str
    """The target's name, or `through it`."""
    address: str
    verdict: Verdict
    message: str


def health_check(port: int) -> str:
    """Return the check that the provider must do on a port (LB-2)."""
    if port == 80:
        return "HTTP GET /healthz, interval 15 s, timeout 10 s, 3 retries"
    if port == 443:
        return (
            "HTTPS GET /healthz without TLS verification, interval 15 s, timeout 10 s, 3 retries;"
            " where the provider checks no TLS: TCP, with the same times"
        )
    if port == 5672:
        return "TCP, interval 2 s, timeout 3 s, 3 retries"
    return "TCP, interval 2 s, timeout 2 s, 3 retries"

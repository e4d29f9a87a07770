"""What `kbz hosts ping` found."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.outcome import ExitCode


@dataclass(frozen=True, slots=True)
class Ping:
    """One host, and whether its port accepted a TCP connection."""

    host: str
    address: str
    accepts: bool


@dataclass(frozen=True, slots=True)
class PingReport:
    """The answers for one port."""

    port: int
    hosts: tuple[Ping, ...]
    absent: tuple[str, ...] = ()
    """Servers that were never started in this lab."""

    @property
    def exit_code(self) -> ExitCode:
        """Return 4 when a host accepts no connection, or when none was asked."""
        good = bool(self.hosts) and all(item.accepts for item in self.hosts)
        return ExitCode.GOOD if good else ExitCode.UNREACHABLE

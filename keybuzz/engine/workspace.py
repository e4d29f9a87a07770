"""What every verb works with: a site, a Nornir over its servers, a journal, and a listener."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keybuzz.engine.cuts import Cuts, Stop
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.lock import lease_names
from keybuzz.model.core.errors import ContactError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.limit import parse_limit

if TYPE_CHECKING:
    from nornir.core import Nornir

    from keybuzz.engine.events import Listener
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.site.module import Module
    from keybuzz.site.site import Site

NOT_HERE = "not in this lab"
"""Why a server that was never started there does not answer."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One command's tools. Nothing in it is global."""

    site: Site
    nornir: Nornir
    journal: Journal
    listen: Listener
    command: str
    """The command line, for the lease and the journal, without secrets of the store."""
    stop: threading.Event = field(default_factory=Stop)
    """Set by the first Ctrl-C: no further stage begins."""
    cuts: Cuts = field(default_factory=Cuts)
    """Whether a signal may cut off what is at work."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, for what is remembered."""
    absent: frozenset[str] = frozenset()
    """Servers that were never started in this lab; none in production. They are never asked."""

    def present(self, selected: frozenset[str]) -> frozenset[str]:
        """Return the selected hosts that are in this lab; KbzError when none is. In production: all."""
        found = selected - self.absent
        if selected and not found:
            first = min(selected)
            raise ContactError(
                f"{NOT_HERE}: {', '.join(sorted(selected)[:6])}"
                f"{f' and {len(selected) - 6} more' if len(selected) > 6 else ''}",
                hint=f"{proposed('kbz', 'lab', 'up', '--limit', first)} starts one;"
                " kbz lab status shows which are here",
            )
        return found

    def select(self, modules: tuple[Module, ...], limit: tuple[str, ...]) -> frozenset[str]:
        """Return the hosts of these modules, cut by --limit. An empty selection is an error."""
        group = {s.name for module in modules for s in self.site.members(module.group)}
        if not limit:
            return frozenset(group)
        named = parse_limit(limit, self.site.servers, self.site.catalogue, self.host_sets())
        chosen = frozenset(group & named)
        if not chosen:
            names = ", ".join(module.name for module in modules)
            raise UsageError(
                f"--limit {','.join(limit)} selects no host of {names}",
                hint=f"{proposed('kbz', 'inventory', '--limit', modules[0].group)} shows the hosts"
                f" of {modules[0].name}",
            )
        return chosen

    def host_sets(self) -> dict[str, frozenset[str]]:
        """Return the host sets of earlier runs that --limit knows; none where the journal cannot be read."""
        return read_or(self.journal, self.journal.sets, {})

    def round_trips(self) -> dict[str, int]:
        """Return the requests of each open session, by host."""
        return {
            name: connection.connection.requests
            for name, host in self.nornir.inventory.hosts.items()
            for connection in host.connections.values()
        }

    def lease_names(self, selected: frozenset[str]) -> tuple[str, ...]:
        """Return one lease for each cluster that the hosts carry, and one for each host without any."""
        return lease_names(self.site.server(host) for host in selected)

"""One reading of a whole cluster, shared by the hosts of one run of a Nornir task.

A check task has one host, and a cluster's health is seen only with all its members: who lags is known by the leader.
The first host of a run reads them all at once; the others judge what it has read.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import View, observe
from keybuzz.model.core.live import Live
from keybuzz.site.module import Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Task


@dataclass(slots=True)
class _Sight:
    """What was read, and which hosts have judged it: one that comes again begins another run."""

    live: Live
    served: set[str] = field(default_factory=set)


class Together:
    """Reads a module's members once for all hosts of a run."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._turn = threading.Lock()
        self._sights: WeakKeyDictionary[Nornir, _Sight] = WeakKeyDictionary()

    def live(self, task: Task) -> Live:
        """Return the live state of all members that the task's Nornir has; the other hosts wait for the first."""
        host, nornir = task.host.name, task.nornir
        with self._turn:
            sight = self._sights.get(nornir)
            if sight is None or host in sight.served:
                sight = _Sight(self.read(nornir))
                self._sights[nornir] = sight
            sight.served.add(host)
            return sight.live

    def read(self, nornir: Nornir) -> Live:
        """Read all members that a Nornir object has, now."""
        site: Site = nornir.config.user_defined["site"]
        members = {server.name for server in site.members(self._module.group)}
        chosen = nornir.filter(filter_func=lambda host: host.name in members)
        # The reading runs tasks of its own on the same hosts; the caller's failed hosts stay his.
        failed = set(nornir.data.failed_hosts)
        descriptions = describe_all(chosen, (self._module,))
        snapshot = observe(chosen, descriptions)
        nornir.data.failed_hosts.update(failed)
        view = View(descriptions, snapshot, frozenset(descriptions), site.digest_key)
        return view.live(self._module, site)

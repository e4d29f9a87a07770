"""One guard over all modules that are at work at the same time: what one of them stops is down for the others too."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from keybuzz.engine.change.guard import Cluster, disrupted, guard_quorum
from keybuzz.model.core.live import Stage


class Guard:
    """Counts the quorum of every cluster over all that is at work. Of two stages that come at once, one is first."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._stopping: dict[str, frozenset[str]] = {}
        """By who: the hosts that its stages interrupt now."""

    def require(self, who: str, stage: Stage, clusters: Iterable[Cluster]) -> None:
        """Raise QuorumError when a cluster would lose its quorum by this stage."""
        with self._turn:
            self._require(who, stage, clusters)

    @contextmanager
    def holding(self, who: str, stage: Stage, clusters: Iterable[Cluster]) -> Iterator[None]:
        """Count the hosts that a stage interrupts as down for all others, for as long as the block takes."""
        with self._turn:
            self._require(who, stage, clusters)
            before = self._stopping.get(who, frozenset())
            self._stopping[who] = before | disrupted(stage)
        try:
            yield
        finally:
            with self._turn:
                self._stopping[who] = before

    def _require(self, who: str, stage: Stage, clusters: Iterable[Cluster]) -> None:
        elsewhere = frozenset(
            host for other, hosts in self._stopping.items() if other != who for host in hosts
        )
        guard_quorum(stage, clusters, elsewhere)

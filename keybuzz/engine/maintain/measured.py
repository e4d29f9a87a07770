"""What a hand-over costs: writes through the official endpoint while it happens, read back afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keybuzz.engine import events
from keybuzz.engine.drill.client import client_of
from keybuzz.engine.drill.ledger import Writer
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError
from keybuzz.model.reports.drill import Tally, Workload

_BASELINE = 10
"""Acknowledged writes before anything is handed over."""
_BASELINE_TIMEOUT = 15.0
_STEADY_TIMEOUT = 60.0
"""Seconds after the hand-over until writes must flow again for the measure to end."""
_POLL = 0.2


@dataclass
class Measure:
    """How long no write was acknowledged, and what became of those that were."""

    workspace: Workspace
    workload: Workload | None
    """None: the operator wants no writes, or none is known for the cluster."""
    since: float = 0.0
    """Monotonic time at which the hand-over began; 0 while it has not."""
    seconds: float | None = None
    tally: Tally | None = None
    unmeasured: str = ""

    @property
    def lost(self) -> int:
        """Acknowledged writes that are not there, where the service promises to keep them."""
        promised = self.workload is not None and self.workload.promised
        return self.tally.lost if promised and self.tally is not None else 0


@contextmanager
def measured(measure: Measure) -> Iterator[None]:
    """Write around the block. What keeps that from working is told in the measure, and keeps nothing else."""
    writer = _started(measure)
    if writer is None:
        yield
        return
    try:
        yield
    finally:
        _ended(measure, writer)


def _started(measure: Measure) -> Writer | None:
    """Return a writer whose writes are acknowledged; None when there is none, with the reason in the measure."""
    workload = measure.workload
    if workload is None:
        measure.unmeasured = "no writes were asked for"
        return None
    where = f"{workload.address}:{workload.port}"
    _tell(measure, f"writing through {where}")
    try:
        writer = Writer(client_of(workload))
        writer.start()
    except KbzError as error:
        measure.unmeasured = f"{where} takes no writes of ours: {error.what}"
        return None
    until = time.monotonic() + _BASELINE_TIMEOUT
    while len(writer.ledger.confirmed) < _BASELINE:
        if time.monotonic() > until or measure.workspace.stop.wait(_POLL):
            error_text = writer.ledger.last_error or "too few writes were acknowledged"
            measure.unmeasured = f"{where}: {error_text}"
            _removed(measure, writer)
            return None
    return writer


def _ended(measure: Measure, writer: Writer) -> None:
    """Wait until writes flow again, and note the longest gap; what was written is compared and removed."""
    try:
        if not measure.since:
            measure.unmeasured = "it was not begun"
            return
        until = time.monotonic() + _STEADY_TIMEOUT
        while writer.ledger.unsteady(time.monotonic()) and time.monotonic() < until:
            time.sleep(_POLL)
        measure.seconds = writer.ledger.gap(measure.since, time.monotonic())
        writer.stop()
        measure.tally = writer.settle()
    except KbzError as error:
        measure.unmeasured = f"the writes could not be read back: {error.what}"
    finally:
        _removed(measure, writer)


def _removed(measure: Measure, writer: Writer) -> None:
    writer.stop()
    try:
        writer.remove()
    except KbzError as error:
        _tell(measure, f"what was written could not be removed: {error.what}")


def _tell(measure: Measure, sentence: str) -> None:
    measure.workspace.listen(events.Drilled(sentence))

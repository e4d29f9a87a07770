"""The workers of a site: where they are, and whether they would take a shard. Pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from keybuzz.model.core.outcome import ExitCode


class Verdict(Enum):
    """What a worker is good for now."""

    READY = "ready"
    REFUSES = "refuses"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    """It was started, and ended without an answer."""


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """A machine that workers are started on."""

    name: str
    """`this machine`, or the region whose relay it is."""
    how: str
    regions: tuple[str, ...]
    hosts: int
    """That are asked from there."""
    shards: int


@dataclass(frozen=True, slots=True)
class WorkerCheck:
    """What a worker there said."""

    place: str
    verdict: Verdict
    what: str
    kbz: str
    seconds: float


def exit_code(checks: Iterable[WorkerCheck]) -> ExitCode:
    """Return 0 when all are ready, 3 when one refuses, and else 4."""
    verdicts = {check.verdict for check in checks}
    if Verdict.REFUSES in verdicts:
        return ExitCode.REFUSED
    return ExitCode.GOOD if verdicts <= {Verdict.READY} else ExitCode.UNREACHABLE

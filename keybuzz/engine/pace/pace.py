"""What was asked for: how many hosts at once, which one first, and how many may fail. Pure values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed


@dataclass(frozen=True, slots=True)
class Share:
    """A number of hosts, or a part of those that a run is for."""

    number: int
    percent: bool = False

    def of(self, hosts: int) -> int:
        """Return the number of hosts that it means among so many; a part is rounded down."""
        return hosts * self.number // 100 if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"


def share(text: str) -> Share:
    """Return what `5` or `10%` means; ValueError for anything else."""
    digits = text.removesuffix("%")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 6:
        raise ValueError(f"{text!r} is neither a number of hosts nor a percentage such as 10%")
    found = Share(int(digits), text.endswith("%"))
    if found.percent and found.number > 100:
        raise ValueError(f"{text} is more than all hosts")
    return found


NO_FAILURE = Share(0)
"""The first host that fails ends the run."""


def _go_on(question: str) -> None:
    """Take no answer for a yes: nothing asks."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run goes over its hosts. Without words it takes all that a stage allows at once."""

    batch: Share | None = None
    """Hosts that are worked on before the next ones are begun; None for all."""
    canary: str = ""
    """The host that comes first, alone."""
    pause: float = 0.0
    """Seconds between two batches, and after the canary."""
    max_fail: Share = NO_FAILURE
    """Hosts that may fail over the whole run before it stops."""
    agree: Callable[[str], None] = _go_on
    """Called before each further batch; StoppedError when the operator does not want it."""

    @property
    def parts(self) -> bool:
        """True when the hosts of a module are not all begun at once."""
        return self.batch is not None or bool(self.canary)

    @property
    def halts(self) -> bool:
        """True when hosts are taken in batches, or something comes between two of them."""
        asks = self.agree is not _go_on
        return self.parts or self.pause > 0 or asks

    def require(self, selected: frozenset[str]) -> None:
        """Raise UsageError when the canary is not among the hosts of the run, or a batch would hold none."""
        if self.canary and self.canary not in selected:
            raise UsageError(
                f"--canary {self.canary} is not among the hosts of this run",
                hint=proposed("kbz", "inventory", "--limit", self.canary),
            )
        if self.batch is not None and self.batch.number == 0:
            raise UsageError("--batch 0 would touch no host", hint="--batch 1 takes one at a time")

    def size(self, hosts: int) -> int:
        """Return how many hosts one batch holds among so many: at least one."""
        return hosts if self.batch is None else max(1, self.batch.of(hosts))

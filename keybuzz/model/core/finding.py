"""What a check says. A check never raises to say "unhealthy".

What could not be read is no value: `Unread` is a type of its own, which no check can take for something empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.visible import in_one_line


class Level(IntEnum):
    """Ordered by how much an operator should care; unknown is worse than warn: it was not looked at."""

    OK = 0
    WARN = 1
    UNKNOWN = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """Lower-case word for every output."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check on one host, or on a whole cluster when `host` is empty."""

    check: str
    """Stable id, such as `base.disk.space`."""
    level: Level
    message: str
    host: str = ""
    hint: str = ""
    cause: str = ""
    """Id of the check whose failure explains this finding; empty when it stands for itself."""

    def __post_init__(self) -> None:
        in_one_line(self, "message", "host", "hint")

    @property
    def good(self) -> bool:
        """True when no operator needs to act: ok, or a warning that does not stop a gate."""
        return self.level <= Level.WARN


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """What a check id means, for whoever reads it at night: the registry of `docs/health.md` and `kbz explain`."""

    id: str
    title: str
    """What it looks at, in a few words."""
    meaning: str
    """What a finding above ok says about the service."""
    next_step: str
    """What the operator does first."""
    levels: tuple[Level, ...] = (Level.CRITICAL,)
    """Levels above ok that it can say."""
    follows_here: tuple[str, ...] = ()
    """Checks whose failure on the same host explains this one."""
    follows: tuple[str, ...] = ()
    """Checks whose failure anywhere explains this one."""
    read_by: tuple[str, ...] = ()
    """Checks that say whether what this one judges can be read at all: on the same host, or of the whole cluster.

    Their failure explains an `unknown` and nothing worse. Of a whole cluster it is read on any of its hosts.
    """
    gates: bool = True
    """False when `kbz run` may go on to the next module all the same: what it does may be the cure."""
    lasting: bool = False
    """True when waiting does not change it, where it is critical: a gate fails as soon as that is certain."""
    stands: bool = False
    """True when waiting does not change it, though a run may: a restart is refused at once where it is critical."""
    restart: bool = False
    """True when a restart of the member is what ends it: `kbz restart` goes on in spite of it."""
    of_others: bool = False
    """True when it forbids to interrupt other members only: its own member is restarted, where no other is to be."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands where a value would be, in a type such as `tuple[str, ...] | Unread`."""

    why: str
    """Why it could not be read, such as "Connection refused"."""

    def __bool__(self) -> NoReturn:
        """Refuse `if not found`, which says of what is empty and of what is not known the same."""
        raise TypeError(f"neither empty nor not: {self.why}")


def unknown(check: str, why: str, host: str = "", hint: str = "") -> Finding:
    """Return the finding of a check that could not look: why, and what to do next."""
    text = f"could not be read: {why or 'no reason was given'}"
    return Finding(check, Level.UNKNOWN, text, host, hint or proposed("kbz", "explain", check))


def all_unknown(checks: Iterable[str], why: str, host: str = "") -> tuple[Finding, ...]:
    """Return one such finding for each check that one reading should have answered."""
    return tuple(unknown(check, why, host) for check in checks)


def of_hosts(reasons: Iterable[tuple[str, str]]) -> Unread | None:
    """Return that a question to several hosts was not answered by these, each with its reason; None without any."""
    told = [f"{host}: {why}" for host, why in reasons]
    return Unread("; ".join(told)) if told else None

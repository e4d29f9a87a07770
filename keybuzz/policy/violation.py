"""What a rule finds, what a check reports, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybuzz.policy.document import Document
from keybuzz.policy.node import Place
from keybuzz.site.policies import Waiver

if TYPE_CHECKING:
    from keybuzz.policy.context import Context


@dataclass(frozen=True, slots=True)
class Edit:
    """A text of one line that has one right replacement."""

    path: str
    place: Place
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule's function returns: one thing that is wrong, in one file."""

    path: str
    place: Place
    excerpt: str
    """The words of the file that are meant; a secret is masked."""
    message: str
    instead: str = ""
    """What to write; "" means: what the rule says."""
    edits: tuple[Edit, ...] = ()
    """How it is corrected, where there is one right answer."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in a file that a rule forbids."""

    rule: str
    path: str
    line: int
    column: int
    excerpt: str
    message: str
    instead: str
    edits: tuple[Edit, ...] = ()


Judge = Callable[[Sequence[Document], "Context"], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement that files can break."""

    id: str
    """Id of the requirement, or KBZ-n for what kbz itself needs."""
    title: str
    """What holds where the rule is kept."""
    why: str
    instead: str
    applies_to: str
    """The kinds of files and places that it looks at, in words."""
    judge: Judge


@dataclass(frozen=True, slots=True)
class Waived:
    """A violation that a waiver accepts for now."""

    violation: Violation
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A file that no reader understood. It may be wrong; it is not clean."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check, in the order of paths and lines."""

    violations: tuple[Violation, ...]
    waived: tuple[Waived, ...]
    files: int
    """Files that were read."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    unjudged: tuple[Unjudged, ...] = ()
    known: tuple[Violation, ...] = ()
    """Violations that the baseline has: they were there before."""


def each(judge: Callable[[Document, Context], Iterable[Found]]) -> Judge:
    """Return a rule's function over many documents from one that looks at each alone."""

    def judge_all(documents: Sequence[Document], context: Context) -> Iterator[Found]:
        for document in documents:
            yield from judge(document, context)

    return judge_all

"""docs/runbooks as values: a page for each module, a section for each check id. Pure, but for the reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import InputError

_FORM = re.compile(
    r"\*\*Means\*\* \((?P<levels>[a-z, ]+)\)\. (?P<means>.+?)\n\n"
    r"(?:\*\*Why it matters\.\*\* (?P<why>.+?)\n\n)?"
    r"\*\*Do\.\*\*\n\n(?P<steps>1\. .+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Section:
    """What one check id means, and what an operator does about it."""

    id: str
    levels: tuple[str, ...]
    """The levels but ok that it can have."""
    means: str
    why: str
    """Empty where the meaning says it."""
    steps: tuple[str, ...]
    page: str
    """Name of the page, such as `base`."""


def read_runbooks(folder: Path) -> dict[str, Section]:
    """Return every section by its id; nothing when there is no such folder."""
    found: dict[str, Section] = {}
    for path in sorted(folder.glob("*.md")):
        if path.stem != "README":
            for section in sections(path.stem, path.read_text(encoding="utf-8")):
                found[section.id] = section
    return found


def sections(page: str, text: str) -> Iterator[Section]:
    """Yield the sections of a page; InputError for one that is not in the common form."""
    for part in re.split(r"(?m)^## ", text)[1:]:
        name, _, body = part.partition("\n")
        match = _FORM.fullmatch(body.strip())
        if match is None:
            raise InputError(
                f"{name} is not in the form of a runbook",
                where=f"docs/runbooks/{page}.md",
                hint="Means (levels), Why it matters, Do with numbered steps",
            )
        steps = re.split(r"(?m)^\d+\. ", match["steps"])[1:]
        yield Section(
            name.strip(),
            tuple(match["levels"].split(", ")),
            _flat(match["means"]),
            _flat(match["why"] or ""),
            tuple(_flat(step) for step in steps),
            page,
        )


def _flat(text: str) -> str:
    return " ".join(text.split())

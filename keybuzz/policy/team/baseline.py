"""What was wrong before: an old repository is held to its rules from a day on, and what is older is listed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.policy.violation import Verdict, Violation
from keybuzz.site.files.problems import read_file

_FORMAT = 1
_LARGEST = 32 << 20
_HINT = "write it again: kbz policy baseline FILE PATH..."
_FIELDS = ("rule", "path", "excerpt", "message")
Mark = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """How often each violation was there. Lines do not count: they move."""

    counts: Counter[Mark]


def baseline_document(violations: Iterable[Violation]) -> dict[str, object]:
    """Return the baseline of these violations. It has no secret: excerpts are masked."""
    counts = Counter(_mark(violation) for violation in violations)
    listed = [
        dict(zip(_FIELDS, mark, strict=True)) | {"count": count}
        for mark, count in sorted(counts.items())
    ]
    return {"format_version": _FORMAT, "violations": listed}


def read_baseline(path: Path) -> Baseline:
    """Read the file; InputError when it is none."""
    try:
        document = json.loads(read_file(path, _LARGEST))
        counts = Counter(
            {
                tuple(str(item[field]) for field in _FIELDS): int(item["count"])
                for item in document["violations"]
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is no baseline of kbz", where=str(path), hint=_HINT) from error
    if document.get("format_version") != _FORMAT:
        raise InputError("is a baseline of another version", where=str(path), hint=_HINT)
    return Baseline(counts)


def held_against(verdict: Verdict, baseline: Baseline) -> Verdict:
    """Return a verdict without what the baseline has; of two that look the same and were one, one is new."""
    left = Counter(baseline.counts)
    new: list[Violation] = []
    known: list[Violation] = []
    for violation in verdict.violations:
        mark = _mark(violation)
        if left[mark] > 0:
            left[mark] -= 1
            known.append(violation)
        else:
            new.append(violation)
    return replace(verdict, violations=tuple(new), known=tuple(known))


def _mark(violation: Violation) -> Mark:
    return (violation.rule, violation.path, violation.excerpt, violation.message)

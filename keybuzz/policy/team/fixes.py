"""Corrections that have one right answer, as edits of lines and as a diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keybuzz.policy.violation import Edit, Violation


@dataclass(frozen=True, slots=True)
class Fix:
    """One file before and after."""

    path: str
    before: str
    after: str

    def diff(self) -> str:
        """Return the change as a unified diff that `patch -p1` takes; of an absolute path, in the folder `/`."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path.lstrip('/')}",
            f"b/{self.path.lstrip('/')}",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


def fixes(violations: Sequence[Violation], texts: dict[str, str]) -> tuple[Fix, ...]:
    """Return the corrected files; an edit whose old text is not at its place is left out."""
    found = []
    for path, before in texts.items():
        after = _edited(before, {e for v in violations for e in v.edits if e.path == path})
        if after != before:
            found.append(Fix(path, before, after))
    return tuple(found)


def _edited(text: str, edits: Iterable[Edit]) -> str:
    lines = text.split("\n")
    # From the end of each line to its start, so that no place moves.
    for edit in sorted(edits, key=lambda e: (e.place, e.old), reverse=True):
        number, start = edit.place.line - 1, edit.place.column - 1
        if number < len(lines) and lines[number].startswith(edit.old, start):
            line = lines[number]
            lines[number] = line[:start] + edit.new + line[start + len(edit.old) :]
    return "\n".join(lines)


def fixes_document(found: Sequence[Fix], left: int, *, written: bool) -> dict[str, object]:
    """Return the corrections for JSON."""
    return {
        "format_version": 1,
        "written": written,
        "files": [{"path": item.path, "diff": item.diff()} for item in found],
        "left": left,
    }

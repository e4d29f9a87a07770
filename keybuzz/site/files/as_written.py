"""A text of which only some lines were changed in another form of it: all others are put back as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher


def as_written(text: str, before: str, after: str) -> str | None:
    """Return `text` with the changes from `before` to `after`; None where a change cannot be told from its form.

    Args:
        text: As it was written.
        before: The same in another form, such as one space after each colon.
        after: That form, after the changes.
    """
    end = "\r" if "\r\n" in text else ""
    written = text.split("\n")
    place = _places(written, before.split("\n"))
    new = after.split("\n")
    found: list[str] = []
    for tag, first, last, start, stop in _opcodes(before.split("\n"), new):
        if tag != "equal":
            found += [line + end for line in new[start:stop]]
        elif first in place and last in place:
            found += written[place[first] : place[last]]
        else:
            return None
    return "\n".join(found)


def _places(written: Sequence[str], before: Sequence[str]) -> dict[int, int]:
    """Return where each line of `before` is in what was written, and one past the last; without those of no one line.

    Lines of both forms are the same but for their spaces, or are as many between two that are.
    """
    places = {0: 0}
    for tag, first, last, start, stop in _opcodes(
        _without_spaces(before), _without_spaces(written)
    ):
        if tag == "equal" or last - first == stop - start:
            places |= {first + n: start + n for n in range(last - first)}
        places[last] = stop
    return places


def _without_spaces(lines: Sequence[str]) -> list[str]:
    return ["".join(line.split()) for line in lines]


def _opcodes(one: Sequence[str], other: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, one, other, autojunk=False).get_opcodes()

"""All problems of one file, collected, so that an operator mends them in one go."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from keybuzz.model.core.errors import InputError

SHOWN = 100
"""Problems that one message spells out; the rest is counted."""
_EXCERPT = 60
_LISTED = 30


class Problems:
    """Collects `file:line: what → what to do` and raises them as one error."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int, what: str, hint: str, *, source: str = "") -> None:
        """Note one problem; `source` when the line to mend is in another file."""
        self._found.append((line, f"{source or self._source}:{line}: {what} → {hint}"))

    def raise_if_any(self) -> None:
        """Raise InputError with one line per problem, in the order of the lines; or do nothing."""
        if not self._found:
            return
        texts = [text for _, text in sorted(self._found, key=lambda problem: problem[0])]
        if len(texts) > SHOWN:
            texts[SHOWN:] = [f"… and {len(texts) - SHOWN} more problems in {self._source}"]
        raise InputError("\n".join(texts))


def shown(text: str) -> str:
    """Return the text quoted for a message: control characters escaped, long texts cut."""
    return repr(text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…")


def nearest(word: str, words: Iterable[str]) -> str:
    """Return `did you mean …?` for words that look like it, or else the valid words."""
    known = sorted(set(words))
    folded = {name.casefold(): name for name in known}
    close = get_close_matches(word[:_EXCERPT].casefold(), folded, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(folded[name] for name in close)}?"
    return "use one of: " + ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")


def require_file(mode: int, path: Path) -> None:
    """Raise InputError for what is no regular file: a pipe may never end, and a device may do anything."""
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    what = kinds.get(stat.S_IFMT(mode), "a device")
    raise InputError(
        f"is {what}, not a file", where=str(path), hint="give the path of a file with that content"
    )


def read_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file of the site; InputError when unreadable or above `limit` bytes."""
    try:
        # Not blocking: a pipe is opened at once, and refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as stream:
            require_file(os.fstat(descriptor).st_mode, path)
            content = stream.read(limit + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}",
            where=str(path),
            hint="give the path of a file that this user may read",
        ) from error
    if len(content) > limit:
        raise InputError(
            f"is larger than {limit} bytes",
            where=str(path),
            hint="this is probably another file: give the path of the right one",
        )
    return content

"""A change of one of the site's files: shown as a diff first, and written only over what was shown."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path


def difference(before: bytes, after: bytes, path: Path) -> str:
    """Return the change as a diff."""
    old, new = (text.decode().splitlines(keepends=True) for text in (before, after))
    return "".join(unified_diff(old, new, str(path), str(path)))


def put_unchanged(path: Path, before: bytes, after: bytes) -> None:
    """Write a file at once; RefusedError when it is not any more what the change was made from.

    Its mode, owner and group stay, and what is a link stays one.
    """
    from keybuzz.site.files.whole import put_over
    from keybuzz.site.load import require_unchanged

    require_unchanged(path, before)
    put_over(path, after)

"""Values that may be in quotes, with a comment behind them."""

from __future__ import annotations

import re


def unquoted(value: str) -> tuple[str, int]:
    """Return a value without its quotes and the comment behind it, and how many characters were before."""
    if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
        return value[1 : value.index(value[0], 1)], 1
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip(" \t;,"), 0

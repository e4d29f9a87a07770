"""Regular expressions that are compiled when they are first asked.

`re` and the patterns that a host needs for nothing would cost it more than most of what it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator


class Pattern:
    """One expression; its methods are those of `re.Pattern`. Flags are part of the text: `(?m)`."""

    __slots__ = ("_compiled", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._compiled: re.Pattern[str] | None = None

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match anywhere in the text."""
        return self._pattern().search(text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Return the match of the whole text."""
        return self._pattern().fullmatch(text)

    def match(self, text: str) -> re.Match[str] | None:
        """Return the match at the beginning of the text."""
        return self._pattern().match(text)

    def findall(self, text: str) -> list[str]:
        """Return what each match is, or its group."""
        return self._pattern().findall(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Yield all matches."""
        return self._pattern().finditer(text)

    def sub(self, shown: Callable[[re.Match[str]], str], text: str) -> str:
        """Return the text with each match replaced."""
        return self._pattern().sub(shown, text)

    def _pattern(self) -> re.Pattern[str]:
        if self._compiled is None:
            import re

            self._compiled = re.compile(self._text)
        return self._compiled

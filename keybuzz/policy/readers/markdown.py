"""Markdown: its blocks of code are read as what their language says; the prose only names images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Image, Place

_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})\s*(?P<language>[\w+-]*).*")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_IMAGE = re.compile(r"(?:[a-z0-9][a-z0-9._-]*(?::\d+)?/)*[a-z0-9][a-z0-9._-]*:latest")


def code_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield language and text of each block; empty lines before the text keep its line numbers."""
    fence, language, indent = "", "", 0
    block: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _FENCE.fullmatch(line)
        if not fence and match is not None:
            fence, language, indent = (
                match["fence"],
                match["language"].lower(),
                len(match["indent"]),
            )
            block = [""] * number
        elif (
            fence
            and line.strip(" \t>").startswith(fence)
            and not line.strip(" \t>").strip(fence[0])
        ):
            yield language, "\n".join(block)
            fence = ""
        elif fence:
            block.append(line[indent:] if not line[:indent].strip(" \t>") else line)


def quoted_images(text: str) -> tuple[Image, ...]:
    """Return what stands in the prose as code `name:latest`; other words with a colon may be anything."""
    prose = re.sub(r"(?ms)^[ \t>]*(`{3,}|~{3,}).*?^[ \t>]*\1[ \t]*$", _blank, text)
    return tuple(
        Image(match[1], Place(prose.count("\n", 0, match.start()) + 1, _column(prose, match)))
        for match in _SPAN.finditer(prose)
        if _IMAGE.fullmatch(match[1])
    )


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _column(text: str, match: re.Match[str]) -> int:
    return match.start(1) - text.rfind("\n", 0, match.start())

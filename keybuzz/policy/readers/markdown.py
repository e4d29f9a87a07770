"""Markdown: its blocks of code are read as what their language says; the prose only names images."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybuzz.policy.document import Image
from keybuzz.policy.node import Place

_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)[^`]*")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_IMAGE = re.compile(r"(?:[a-z0-9][a-z0-9._-]*(?::\d+)?/)*[a-z0-9][a-z0-9._-]*:latest")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code. Empty lines before its text keep the line numbers of the file."""

    language: str
    text: str


def split(text: str) -> tuple[tuple[Block, ...], tuple[Image, ...]]:
    """Return the blocks of code, and what the prose calls `name:latest`; other words with a colon may be anything."""
    blocks: list[Block] = []
    images: list[Image] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if opened is None:
            opened = _FENCE.fullmatch(line)
            inside = [""] * number
            if opened is None:
                images += _quoted(line, number)
        elif _closes(line, opened["fence"]):
            blocks.append(Block(opened["language"].lower(), "\n".join(inside)))
            opened = None
        else:
            indent = len(opened["indent"])
            inside.append(line if line[:indent].strip(" \t>") else line[indent:])
    return tuple(blocks), tuple(images)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip(" \t>")
    return len(bare) >= len(fence) and not bare.strip(fence[0])


def _quoted(line: str, number: int) -> list[Image]:
    return [
        Image(match[1], Place(number, match.start(1) + 1))
        for match in _SPAN.finditer(line)
        if _IMAGE.fullmatch(match[1])
    ]

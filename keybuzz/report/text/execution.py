"""Answers of `kbz exec`, as text or as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keybuzz.engine.change.execute import HostExecution
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.visible import visible

_AT_ONCE = 1 << 14
"""Characters, and the rest of a line, that are made visible together: programs write millions of short lines."""


def execution_text(results: tuple[HostExecution, ...]) -> str:
    """Return every host's streams, each line after the host's name."""
    return "".join(execution_lines(results))


def execution_lines(results: tuple[HostExecution, ...]) -> Iterator[str]:
    """Yield the same, line by line: a stream of megabytes is never there a second time."""
    width = max((len(result.host) for result in results), default=0)
    for result in results:
        for text, mark in ((result.stdout, " "), (result.stderr, "!")):
            yield from (f"{result.host:<{width}} {mark} {line}\n" for line in _lines(text))
        good = result.outcome is Outcome.OK
        ended = result.what or ("" if good else "failed")
        if ended:
            code = "" if result.exit_code is None else f" (exit {result.exit_code})"
            yield f"{result.host:<{width}} {'·' if good else '✗'} {ended}{code}\n"
    ended_well = sum(result.exit_code == 0 for result in results)
    yield f"{ended_well} of {len(results)} hosts: exit 0\n"


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text without making a list of all of them; nothing in them ends a line."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _AT_ONCE)
        if end < 0:
            end = len(text) - text.endswith("\n")
        piece = text[start:end].replace("\r\n", "\n").removesuffix("\r")
        yield from visible(piece).split("\n")
        start = end + 1


def execution_document(results: tuple[HostExecution, ...]) -> dict[str, Any]:
    """Return every host's exit code and streams."""
    return {
        "format_version": 1,
        "hosts": {
            result.host: {
                "outcome": result.outcome.value,
                "exit_code": result.exit_code,
                "stdout": result.stdout,
                "stderr": result.stderr,
                "what": result.what or None,
            }
            for result in results
        },
    }

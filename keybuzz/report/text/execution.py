"""Answers of `kbz exec`, as text or as a document. Pure."""

from __future__ import annotations

from typing import Any

from keybuzz.engine.change.execute import HostExecution


def execution_text(results: tuple[HostExecution, ...]) -> str:
    """Return every host's streams, each line after the host's name."""
    width = max((len(result.host) for result in results), default=0)
    lines: list[str] = []
    for result in results:
        for text, mark in ((result.stdout, " "), (result.stderr, "!")):
            lines += [f"{result.host:<{width}} {mark} {line}" for line in text.splitlines()]
        ended = result.what or ("" if result.exit_code == 0 else "failed")
        if ended:
            code = "" if result.exit_code is None else f" (exit {result.exit_code})"
            lines.append(f"{result.host:<{width}} ✗ {ended}{code}")
    good = sum(result.exit_code == 0 for result in results)
    lines.append(f"{good} of {len(results)} hosts: exit 0")
    return "\n".join(lines) + "\n"


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

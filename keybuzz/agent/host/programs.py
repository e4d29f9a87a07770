"""The versions of a host's programs, and the ends of their logs; only `kbz bundle` asks."""

from __future__ import annotations

import os
import sys

from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_LARGEST_LOG = 8 << 20
"""Bytes that journalctl may write for the lines that were asked for."""
_SECONDS = 20.0


def look(context: Context) -> dict[str, str]:
    """Return the versions; an empty text for a program that is not there."""
    from keybuzz.agent.kinds.host.system import read_operating_system

    return {
        "system": str(read_operating_system({}, context)["attributes"]["release"]),
        "kernel": os.uname().release,
        "docker": _docker(context),
        "python": sys.version.split()[0],
    }


def _docker(context: Context) -> str:
    try:
        found = context.docker.get("/version")
    except (AgentError, OSError):  # there is none, or it is down: the rest is still known
        return ""
    return str((found or {}).get("Version", ""))


def log_end(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the last lines of a log, both streams apart."""
    read = _of_unit if query["unit"] else _of_container
    stdout, stderr = read(query, context)
    most = query["most"]
    return {
        "stdout": last_lines(stdout, most).decode(errors="replace"),
        "stderr": last_lines(stderr, most).decode(errors="replace"),
        "stdout_cut": len(stdout) > most,
        "stderr_cut": len(stderr) > most,
    }


def last_lines(text: bytes, most: int) -> bytes:
    """Return the whole lines at the end of a text that fit: half a line could be a secret without its name."""
    if len(text) <= most:
        return text
    end = text[len(text) - most - 1 :]
    return end[end.index(b"\n") + 1 :] if b"\n" in end else b""


def _of_container(query: dict[str, Any], context: Context) -> tuple[bytes, bytes]:
    if context.docker.inspect(query["of"]) is None:
        raise AgentError(f"there is no container {query['of']}", "")
    return context.docker.log(query["of"], query["lines"])


def _of_unit(query: dict[str, Any], context: Context) -> tuple[bytes, bytes]:
    words = ["-n", str(query["lines"]), "-o", "short-iso", "--no-pager"]
    done = run_child(
        ["journalctl", "-u", query["of"], *words], timeout=_SECONDS, limit=_LARGEST_LOG
    )
    if done.timed_out:
        raise AgentError(f"journalctl did not end within {_SECONDS:g} s", "")
    return done.stdout, done.stderr

"""The agent as bytes: a zip made in memory, and the command that runs it without any file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

LOADER = """\
import os, sys
def take(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(1)
        data += piece
    return data
memory = os.memfd_create("kbz-agent")
os.write(memory, take(int.from_bytes(take(4), "big")))
sys.path.insert(0, "/proc/self/fd/%d" % memory)
from keybuzz.agent.main import serve
serve()
"""
"""Reads length (4 bytes, big-endian) and zip from its standard input, then becomes the agent."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


def command(python: str = "python3") -> list[str]:
    """Return the argument list that starts the loader with the host's own Python.

    Neither its environment nor its site hooks count (-I, -S): they may print, fail or be slow.
    """
    return [python, "-I", "-S", "-c", LOADER]


@cache
def preamble() -> bytes:
    """Return what the loader reads first: length and zip. The same sources give the same bytes."""
    archive = _archive(Path(__file__).parents[1] / "agent")
    return len(archive).to_bytes(4, "big") + archive


def _archive(folder: Path) -> bytes:
    from io import BytesIO
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    sources = {"keybuzz/__init__.py": b""}  # the real one imports Nornir
    for path in sorted(folder.rglob("*.py")):
        sources[f"keybuzz/agent/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, source in sources.items():
            archive.writestr(ZipInfo(name, _EPOCH), source, compress_type=ZIP_DEFLATED)
    return buffer.getvalue()

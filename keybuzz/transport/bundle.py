"""The agent as bytes: a zip made in memory, and the command that runs it without any file.

Each module lies in it twice: compiled by this Python, and as source. A host with the same Python takes the first, which
saves it half of the agent's start; any other finds that it is not its own and compiles the source.
"""

from __future__ import annotations

from pathlib import Path

from keybuzz.transport.shared import shared

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

_UNCHECKED = (1).to_bytes(4, "little")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def command(python: str = "python3") -> list[str]:
    """Return the argument list that starts the loader with the host's own Python.

    Neither its environment nor its site hooks count (-I, -S): they may print, fail or be slow. Nor does
    it leave compiled modules of the host's library behind (-B), as root's Python does where none are.
    """
    return [python, "-I", "-S", "-B", "-c", LOADER]


@shared
def preamble() -> bytes:
    """Return what the loader reads first: length and zip."""
    archive = _archive(Path(__file__).parents[1] / "agent")
    return len(archive).to_bytes(4, "big") + archive


def _archive(folder: Path) -> bytes:
    from io import BytesIO
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    entries = {"keybuzz/__init__.py": b""}  # the real one imports Nornir
    for path in sorted(folder.rglob("*.py")):
        name = f"keybuzz/agent/{path.relative_to(folder).as_posix()}"
        entries[name] = path.read_bytes()
        entries[f"{name}c"] = _compiled(path)
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(
                ZipInfo(name, _EPOCH), content, compress_type=ZIP_DEFLATED, compresslevel=1
            )
    return buffer.getvalue()


def _compiled(path: Path) -> bytes:
    """Return what a .pyc file holds that is valid whatever its source is (PEP 552).

    Taken from this Python's own cache: to compile all of the agent would take longer than to reach all hosts.
    """
    import marshal
    from importlib.machinery import SourceFileLoader
    from importlib.util import MAGIC_NUMBER

    code = SourceFileLoader(path.stem, str(path)).get_code(path.stem)
    return MAGIC_NUMBER + _UNCHECKED + bytes(8) + marshal.dumps(code)

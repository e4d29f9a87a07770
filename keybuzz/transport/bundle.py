"""The agent as bytes: all its modules in one piece of memory, and the command that runs it without any file.

What is sent is compiled by this Python: a host with the same one takes it as it is, which saves it most of the agent's
start. A host with another Python asks for the sources instead, and compiles those modules that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType

import tasks
from keybuzz.agent.runtime.frames import json_frame
from keybuzz.transport.shared import shared

WANTS_SOURCES = {"want": "source"}
"""What the loader says, in a frame, when what came was compiled by another Python."""
_NO_PYTHON = bytes(4)
"""In the place of a Python's magic number: sources follow."""
_OURS = "keybuzz/__init__.py"
"""Empty on a host: the real one imports Nornir."""
_MODULES = "tasks/__init__.py"
"""On a host it names the modules whose part of the agent came along: there is no folder to look through."""
_LEVEL = 4
"""Each host is sent 8 % less than by level 1, for 5 ms once per command; levels above it take longer than they save."""
LOADER = """\
import os, sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads
from zlib import decompress
def take(size):
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = os.readv(0, [view])
        if not got:
            os._exit(1)
        view = view[got:]
    return data
def number():
    return int.from_bytes(take(4), "big")
magic, packed = take(4), take(number())
if magic == MAGIC_NUMBER:
    read = lambda name, content: loads(content)
else:
    read = lambda name, content: compile(bytes(content), name, "exec", dont_inherit=True)
    take(1), take(number())
    os.write(1, WANTED)
    take(4)
    packed = take(number())
modules, body = {}, memoryview(decompress(packed))
while body:
    start = 5 + body[0]
    end = start + int.from_bytes(body[1:5], "big")
    modules[bytes(body[5:start]).decode()], body = body[start:end], body[end:]
class Agent:
    def find_spec(name, path=None, target=None):
        file = name.replace(".", "/")
        for origin in (file + ".py", file + "/__init__.py"):
            if origin in modules:
                return ModuleSpec(name, Agent, origin=origin, is_package=origin[-12:] == "/__init__.py")
    def create_module(spec):
        pass
    def exec_module(module):
        name = module.__spec__.origin
        exec(read(name, modules[name]), module.__dict__)
sys.meta_path.insert(0, Agent)
from keybuzz.agent.main import serve
serve()
""".replace("WANTED", repr(json_frame(WANTS_SOURCES)))
"""Reads the agent from its standard input, then becomes it.

First come four bytes that tell the Python that compiled it, the length (4 bytes, big-endian), and the modules; then the
frame that opens the session. A loader of another Python takes all of that, asks, and is sent the same with the sources.
"""


def command(python: str = "python3") -> list[str]:
    """Return the argument list that starts the loader with the host's own Python.

    Neither its environment nor its site hooks count (-I, -S): they may print, fail or be slow. Nor does
    it leave compiled modules of the host's library behind (-B), as root's Python does where none are.
    """
    return [python, "-I", "-S", "-B", "-c", LOADER]


@shared
def preamble() -> bytes:
    """Return what the loader reads first: the modules as this Python compiled them."""
    from importlib.util import MAGIC_NUMBER
    from marshal import dumps

    written = {
        name: dumps(compile(text, name, "exec", dont_inherit=True))
        for name, text in _written().items()
    }
    return MAGIC_NUMBER + _packed(
        {**written, **{name: dumps(_code(path)) for name, path in _files()}}
    )


@shared
def sources() -> bytes:
    """Return what a loader of another Python reads next: the modules' sources."""
    written = {name: text.encode() for name, text in _written().items()}
    return _NO_PYTHON + _packed({**written, **{name: path.read_bytes() for name, path in _files()}})


def _written() -> dict[str, str]:
    """Return what is written for a host, in the place of packages that would load all of kbz."""
    modules = tasks.with_agent()
    names = f"def with_agent():\n    return {modules!r}\n"
    return {_OURS: "", _MODULES: names, **{f"tasks/{name}/__init__.py": "" for name in modules}}


def _files() -> Iterator[tuple[str, Path]]:
    """Yield each module's name on a host, and its file here: the agent's own, and the modules' parts of it."""
    modules = Path(tasks.__path__[0])
    folders = [(Path(__file__).parents[2], "keybuzz/agent")]
    folders += [(modules.parent, f"tasks/{name}/agent") for name in tasks.with_agent()]
    for root, folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path


def _packed(modules: Mapping[str, bytes]) -> bytes:
    """Return the length, and all modules compressed as one: the lengths of name and content, then both."""
    from zlib import compress

    pieces = []
    for name, content in modules.items():
        pieces += [bytes([len(name)]), len(content).to_bytes(4, "big"), name.encode(), content]
    packed = compress(b"".join(pieces), _LEVEL)
    return len(packed).to_bytes(4, "big") + packed


def _code(path: Path) -> CodeType | None:
    """Return a module's code.

    Taken from this Python's own cache: to compile all of the agent would take longer than to reach all hosts.
    """
    from importlib.machinery import SourceFileLoader

    return SourceFileLoader(path.stem, str(path)).get_code(path.stem)

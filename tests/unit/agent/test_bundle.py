"""What is sent to the hosts as the agent: nothing they do not have, and compiled for those that have our Python."""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest

import tasks
from keybuzz.agent.runtime.frames import json_frame
from keybuzz.transport import bundle

OPENING = json_frame({"open": {"access": "look"}})


def modules(sent: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each module's name and content, as the loader finds them."""
    body = zlib.decompress(sent[8:])
    while body:
        start, size = 5 + body[0], int.from_bytes(body[1:5], "big")
        yield body[5:start].decode(), body[start : start + size]
        body = body[start + size :]


SOURCES = {name: text.decode() for name, text in modules(bundle.sources())}
COMPILED = dict(modules(bundle.preamble()))
FOLDERS = {"keybuzz/agent", *(f"tasks/{name}/agent" for name in tasks.with_agent())}
WRITTEN = {"keybuzz/__init__.py", "tasks/__init__.py"}
WRITTEN |= {f"tasks/{name}/__init__.py" for name in tasks.with_agent()}
"""What the controller writes for a host, in the place of packages that would load all of kbz."""


def folder(name: str) -> str:
    return "/".join(name.split("/")[: 3 if name.startswith("tasks/") else 2])


@pytest.mark.parametrize("sent", [bundle.preamble(), bundle.sources()], ids=["compiled", "sources"])
def test_python_and_length_come_first(sent: bytes) -> None:
    assert sent[:4] == (MAGIC_NUMBER if sent == bundle.preamble() else bytes(4))
    assert int.from_bytes(sent[4:8], "big") == len(sent) - 8


def test_our_own_package_file_stays_at_home() -> None:
    assert SOURCES["keybuzz/__init__.py"] == ""
    assert "keybuzz/agent/main.py" in SOURCES
    assert all(name in WRITTEN or folder(name) in FOLDERS for name in SOURCES)


def test_a_host_knows_the_modules_whose_part_came_along() -> None:
    told: dict[str, Any] = {}
    exec(SOURCES["tasks/__init__.py"], told)
    assert told["with_agent"]() == tasks.with_agent()
    assert [SOURCES[name] for name in sorted(WRITTEN - {"tasks/__init__.py"})] == [""] * (
        len(WRITTEN) - 1
    )


def test_what_is_compiled_is_all_of_it_and_goes_alone() -> None:
    assert list(COMPILED) == list(SOURCES)
    assert not any(text.encode() == COMPILED[name] for name, text in SOURCES.items())


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_python_3_10_and_needs_only_the_standard_library(name: str) -> None:
    for node in ast.walk(ast.parse(SOURCES[name], feature_version=(3, 10))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        for module in modules:
            ours = module == "tasks" and name == "keybuzz/agent/parts.py"
            ours |= folder(module.replace(".", "/")) in FOLDERS
            assert ours or module.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("name", COMPILED)
def test_what_is_compiled_is_its_source_and_nothing_older(name: str) -> None:
    path = name if name in WRITTEN else Path(bundle.__file__).parents[2] / name
    assert marshal.loads(COMPILED[name]) == compile(SOURCES[name], path, "exec", dont_inherit=True)


class Loader:
    """The loader in a process of its own, and what it says."""

    def __init__(self, magic: bytes = MAGIC_NUMBER, last: str = "serve()") -> None:
        """`last` is what it does in the place of serving; `magic` is that of its Python, as it believes."""
        code = bundle.LOADER.replace("serve()\n", f"{last}\n")
        code = code.replace("from marshal", f"MAGIC_NUMBER = {magic!r}\nfrom marshal", 1)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def hear(self, *sent: bytes) -> bytes:
        """Return all that it says to what it is sent; then its streams are closed."""
        answer, _ = self._process.communicate(b"".join(sent), timeout=60)
        assert self._process.returncode == 0
        return answer


LOADED = "os.write(1, ' '.join(sys.modules).encode())"


def test_a_host_with_our_python_asks_for_nothing() -> None:
    said = Loader(last=LOADED).hear(bundle.preamble(), OPENING)
    assert "keybuzz.agent.main" in said.decode().split()


def test_a_host_with_another_python_asks_for_the_sources_and_compiles_them() -> None:
    said = Loader(b"\xff\xff\r\n", LOADED).hear(
        bundle.preamble(), OPENING, bundle.sources(), OPENING
    )
    asked = json_frame(bundle.WANTS_SOURCES)
    assert said.startswith(asked)
    assert "keybuzz.agent.main" in said.removeprefix(asked).decode().split()


def test_the_frame_that_opens_the_session_is_read_by_the_agent_alone() -> None:
    rest = "os.write(1, b'left ' + os.read(0, 1 << 16))"
    asked = json_frame(bundle.WANTS_SOURCES)
    sent = (bundle.preamble(), OPENING, bundle.sources(), OPENING)
    assert Loader(last=rest).hear(*sent[:2]) == b"left " + OPENING
    assert Loader(b"\xff\xff\r\n", rest).hear(*sent) == asked + b"left " + OPENING


@pytest.mark.parametrize("kept", [0, 3, 7, 5000])
def test_a_controller_that_is_lost_meanwhile_ends_the_loader(kept: int) -> None:
    sent = bundle.preamble()[:kept]
    done = subprocess.run(
        bundle.command(sys.executable), input=sent, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_an_agent_that_waits_has_loaded_little() -> None:
    loaded = set(Loader(last=LOADED).hear(bundle.preamble(), OPENING).decode().split())
    heavy = {"dataclasses", "enum", "inspect", "json", "pathlib", "queue", "re", "signal"}
    heavy |= {"subprocess", "socket", "tempfile", "threading", "typing"}
    assert "keybuzz.agent.main" in loaded
    assert heavy.isdisjoint(loaded)


def test_the_agent_stays_small() -> None:
    """Every connection begins with it; what raises this number is worth a look at what is sent."""
    assert len(bundle.preamble()) < 430_000

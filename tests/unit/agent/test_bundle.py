"""What is sent to the hosts as the agent: nothing they do not have, and compiled for those that have our Python."""

from __future__ import annotations

import ast
import io
import marshal
import subprocess
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from keybuzz.transport import bundle


def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.preamble()[4:]))


CONTENTS = {name: archive().read(name) for name in archive().namelist()}
SOURCES = {name: text.decode() for name, text in CONTENTS.items() if name.endswith(".py")}
COMPILED = {name: text[16:] for name, text in CONTENTS.items() if name.endswith(".pyc")}


def test_the_length_comes_first() -> None:
    preamble = bundle.preamble()
    assert int.from_bytes(preamble[:4], "big") == len(preamble) - 4


def test_our_own_package_file_stays_at_home() -> None:
    assert SOURCES["keybuzz/__init__.py"] == ""
    assert "keybuzz/agent/main.py" in SOURCES
    assert all(
        name == "keybuzz/__init__.py" or name.startswith("keybuzz/agent/") for name in CONTENTS
    )


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
            ours = module == "keybuzz.agent" or module.startswith("keybuzz.agent.")
            assert ours or module.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("name", COMPILED)
def test_what_is_compiled_is_its_source_and_nothing_older(name: str) -> None:
    assert CONTENTS[name][:16] == MAGIC_NUMBER + b"\1" + bytes(11)
    source = name.removesuffix("c")
    path = Path(bundle.__file__).parents[2] / source
    assert marshal.loads(COMPILED[name]) == compile(
        SOURCES[source], path, "exec", dont_inherit=True
    )


def agent_modules(folder: Path, archive_bytes: bytes) -> set[str]:
    """Return the modules that a host has loaded when it waits."""
    (folder / "agent.zip").write_bytes(archive_bytes)
    code = f"import sys; sys.path.insert(0, '{folder}/agent.zip'); import keybuzz.agent.main\n"
    code += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_a_host_with_another_python_compiles_the_sources(tmp_path: Path) -> None:
    foreign = io.BytesIO()
    with zipfile.ZipFile(foreign, "w") as made:
        for name, content in CONTENTS.items():
            other = b"\xff\xff\r\n" + content[4:] if name.endswith(".pyc") else content
            made.writestr(name, other)
    assert "keybuzz.agent.main" in agent_modules(tmp_path, foreign.getvalue())


def test_an_agent_that_waits_has_loaded_little(tmp_path: Path) -> None:
    loaded = agent_modules(tmp_path, bundle.preamble()[4:])
    heavy = {"dataclasses", "enum", "inspect", "json", "pathlib", "queue", "re", "signal"}
    heavy |= {"subprocess", "socket", "tempfile", "threading", "typing"}
    assert "keybuzz.agent.main" in loaded
    assert heavy.isdisjoint(loaded)

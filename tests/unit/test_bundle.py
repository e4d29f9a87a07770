"""What is sent to the hosts as the agent: always the same bytes, and nothing they do not have."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from keybuzz.transport import bundle


def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.preamble()[4:]))


SOURCES = {name: archive().read(name).decode() for name in archive().namelist()}


def test_the_length_comes_first() -> None:
    preamble = bundle.preamble()
    assert int.from_bytes(preamble[:4], "big") == len(preamble) - 4


def test_our_own_package_file_stays_at_home() -> None:
    assert SOURCES["keybuzz/__init__.py"] == ""
    assert "keybuzz/agent/main.py" in SOURCES
    assert all(
        name == "keybuzz/__init__.py" or name.startswith("keybuzz/agent/") for name in SOURCES
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


def test_the_agent_is_the_same_bytes_every_time() -> None:
    code = "import sys; from keybuzz.transport.bundle import preamble"
    code += "; sys.stdout.buffer.write(preamble())"
    environment = {**os.environ, "PYTHONPATH": str(Path(bundle.__file__).parents[2])}
    made = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=environment
    )
    assert made.stdout == bundle.preamble()


def test_an_agent_that_waits_has_loaded_little(tmp_path: Path) -> None:
    (tmp_path / "agent.zip").write_bytes(bundle.preamble()[4:])
    code = f"import sys; sys.path.insert(0, '{tmp_path}/agent.zip'); import keybuzz.agent.main"
    done = subprocess.run(
        ["python3", "-I", "-S", "-c", f"{code}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    heavy = {"dataclasses", "inspect", "pathlib", "subprocess", "socket", "tempfile", "typing"}
    assert heavy.isdisjoint(done.stdout.split())

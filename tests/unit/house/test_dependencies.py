"""What kbz imports is declared, and what is declared is locked by the hashes of its files."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRY = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$", re.M)
OURS = {"keybuzz", "tasks", "tests"}


def normal(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(requirements: list[str]) -> dict[str, str]:
    """Return name and version of each requirement that is pinned; every one of ours is."""
    found = {}
    for requirement in requirements:
        name, _, version = requirement.partition("==")
        found[normal(name.partition("[")[0])] = version
    return found


RUNTIME = pinned(PROJECT["dependencies"])
EXTRAS = {
    extra: pinned([text for text in wanted if not text.startswith("kbz[")])
    for extra, wanted in PROJECT["optional-dependencies"].items()
}
LOCKED = {match["name"]: match["version"] for match in ENTRY.finditer(LOCK)}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield file and top-level name of each import of a folder, also those that are made late or for types only."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                yield str(path.relative_to(ROOT)), name.partition(".")[0]


@pytest.mark.parametrize("folder", ["keybuzz", "tasks"])
def test_every_import_is_declared(folder: str) -> None:
    declared = {*RUNTIME, *(name for wanted in EXTRAS.values() for name in wanted)}
    packages = packages_distributions()
    undeclared = {
        f"{file}: {name}"
        for file, name in imported(folder)
        if name not in OURS | sys.stdlib_module_names
        and "stand_in" not in file
        and not declared & {normal(found) for found in packages.get(name, ())}
    }
    assert not undeclared


def test_every_requirement_is_pinned_and_locked_at_that_version() -> None:
    wanted = dict(RUNTIME)
    for extra in EXTRAS.values():
        wanted |= extra
    assert all(wanted.values())
    assert {name: LOCKED.get(name) for name in wanted} == wanted


def test_every_locked_package_names_the_content_of_its_files() -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9-]+==)", LOCK)[1:]
    assert len(blocks) == len(LOCKED) > 40
    for block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]
        assert not re.search(r"https?://", block)


def test_no_marker_leaves_a_package_of_ours_out_of_any_python() -> None:
    """A marker may leave out what Python itself or another system replaces: packages of packages only."""
    direct = {*RUNTIME, *(name for wanted in EXTRAS.values() for name in wanted)}
    marked = {match["name"]: match["marker"] for match in ENTRY.finditer(LOCK) if match["marker"]}
    assert not direct & set(marked), marked


def test_setup_installs_from_the_lock_and_nothing_else() -> None:
    lines = (ROOT / "scripts" / "setup").read_text(encoding="utf-8").splitlines()
    installs = [line.strip() for line in lines if line.strip().startswith('"${install[@]}"')]
    assert len(installs) == 2
    assert "--require-hashes --only-binary :all: --requirement requirements.lock" in installs[0]
    assert {"--no-deps", "--no-index", "--no-build-isolation"} <= set(installs[1].split())

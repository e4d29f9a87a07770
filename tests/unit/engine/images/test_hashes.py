"""What is installed into an image from a package registry is fixed by its content, whatever the registry hands out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
DOCKERFILES = sorted((ROOT / "tasks").rglob("Dockerfile"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def installs(path: Path) -> list[str]:
    """Return each `pip install` of a Dockerfile, as one line."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        c for line in lines for c in re.split(r"&&|;", line) if re.search(r"\bpip3? install", c)
    ]


WITH_PIP = [path for path in DOCKERFILES if installs(path)]


def test_there_are_such_images() -> None:
    assert ROOT / "tasks/patroni/image/Dockerfile" in WITH_PIP


@pytest.mark.parametrize("path", WITH_PIP, ids=lambda path: str(path.relative_to(ROOT)))
def test_pip_takes_nothing_without_a_hash(path: Path) -> None:
    for command in installs(path):
        assert "--require-hashes" in command
        files = re.findall(r"-r (\S+)", command)
        assert files
        assert (
            "--no-build-isolation" in command
            or "--only-binary" in command
            or ("--no-deps" in command)
        ), "pip fetches what builds a package without a hash"
        for name in files:
            text = (path.parent / Path(name).name).read_text(encoding="utf-8")
            whole = re.sub(r"\\\n\s*", " ", text)
            pins = [
                line for line in whole.splitlines() if line and not line.lstrip().startswith("#")
            ]
            assert pins
            for pin in pins:
                assert re.match(r"[A-Za-z0-9._-]+==\S+ ", pin), pin
                assert HASH.search(pin), pin


@pytest.mark.parametrize("name", ["build", "requirements"])
def test_what_is_locked_is_what_was_asked_for(name: str) -> None:
    folder = ROOT / "tasks/patroni/image"
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (folder / f"{name}.txt").read_text()))
    asked = re.findall(r"(?m)^([\w.-]+)(?:\[\w+\])?==(\S+)", (folder / f"{name}.in").read_text())
    assert {key.lower(): value for key, value in asked} == locked

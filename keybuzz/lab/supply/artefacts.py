"""Programs that are no image, made by the lab where none can be fetched: a file each."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tasks
from keybuzz.lab.hosts.process import Report
from keybuzz.lab.supply.contract import Form, contracts
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_HEAD = b"#!/usr/bin/python3\n"
_TIME = (2024, 1, 1, 0, 0, 0)
"""In every entry, so that the same sources are the same file."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program that stands in for a real one."""

    name: str
    """Its file in the artefacts' folder, and its folder below tasks/*/stand_in."""
    stands_for: str
    provenance: str
    """What it really is."""
    groups: tuple[str, ...]
    """Groups of groups.yaml whose servers need it."""


@cache
def programs() -> tuple[Program, ...]:
    """Return every program that stands in for a real one, in the order of their contracts."""
    return tuple(
        Program(found.recipe, found.made.stands_for, found.made.provenance, found.made.groups)
        for found in contracts()
        if found.made.form is Form.PROGRAM
    )


def folder(settings: LabSettings) -> Path:
    """Return where the lab keeps what kbz places on hosts."""
    return settings.root / "artefacts"


def ensure(settings: LabSettings, servers: Iterable[Server], report: Report) -> None:
    """Write the programs that any of these servers needs; one that is there and the same stays."""
    needed = needed_by(servers)
    for program in (one for one in programs() if one.name in needed):
        path, content = folder(settings) / program.name, packed(program)
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(content)
        unfinished.chmod(0o755)
        unfinished.replace(path)
        report("", f"{path} stands in for {program.stands_for}")


def needed_by(servers: Iterable[Server]) -> tuple[str, ...]:
    """Return the names of the programs that any of these servers needs."""
    groups = {group for server in servers for group in server.groups}
    return tuple(program.name for program in programs() if groups.intersection(program.groups))


def packed(program: Program) -> bytes:
    """Return a program as one file that Python runs: a zip behind its first line."""
    buffer = io.BytesIO()
    (root,) = Path(tasks.__path__[0]).glob(f"*/stand_in/{program.name}")
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.py")}
    files["__main__.py"] = f"from {program.name}_stand_in.main import main\n\nmain()\n".encode()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return _HEAD + buffer.getvalue()

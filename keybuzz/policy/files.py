"""Which files a check reads: those that git would commit; ignored files hold what must not be there."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.document import Document
from keybuzz.policy.readers.read import read_document

_LARGEST = 2 << 20
_LOCK_FILES = frozenset(
    {
        "Cargo.lock",
        "Gemfile.lock",
        "bun.lock",
        "composer.lock",
        "go.sum",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "Pipfile.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
    }
)
"""Written by programs, full of digests, and not read by any rule."""
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".venv", "__pycache__", "node_modules", ".terraform"})
_GIT_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Reading:
    """The documents of a check, and what was not read."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...]


def read_paths(paths: Sequence[Path], base: Path) -> Reading:
    """Read files and folders; UsageError for a path that is not there. Paths below `base` are shown from it."""
    documents: list[Document] = []
    notes: list[str] = []
    for path in _files(paths):
        shown = _shown(path, base)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                notes.append(f"{shown}: not read: no file, but a pipe, socket or device")
                continue
            content = path.read_bytes() if status.st_size <= _LARGEST else None
        except OSError as error:
            notes.append(f"{shown}: not read: {error.strerror}")
            continue
        if content is None:
            notes.append(f"{shown}: not read: larger than {_LARGEST >> 20} MiB")
        elif b"\0" not in content:
            documents.append(read_document(shown, content.decode("utf-8", errors="replace")))
    return Reading(tuple(documents), tuple(notes))


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return each file once, by name. A file that is named itself is read whatever it is."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = _from_git(path) or _walked(path)
            found.update(dict.fromkeys(sorted(file for file in inside if _is_read(file))))
        elif path.exists():
            found[path] = None
        else:
            raise UsageError(f"there is no {path}", hint="give files or folders that exist")
    return list(found)


def _is_read(file: Path) -> bool:
    """What a link leads to is no file of the folder."""
    return file.name not in _LOCK_FILES and file.is_file() and not file.is_symlink()


def _from_git(folder: Path) -> list[Path]:
    """Return the files that git knows or would add, or nothing when the folder is not git's."""
    safe = [
        "-c",
        "safe.directory=*",
        "-c",
        "core.fsmonitor=false",
    ]  # it only lists, and runs nothing
    command = ["git", *safe, "-C", str(folder), "ls-files", "-z", "--cached", "--others"]
    try:
        done = subprocess.run(
            [*command, "--exclude-standard"],
            # Inside a hook these name the repository of the commit, whatever the folder is.
            env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            capture_output=True,
            timeout=_GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = done.stdout.split(b"\0") if done.returncode == 0 else []
    return [folder / os.fsdecode(name) for name in names if name]


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        yield from (Path(place) / name for name in names)


def _shown(path: Path, base: Path) -> str:
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (a link's own name is shown, not its target's)
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else path)

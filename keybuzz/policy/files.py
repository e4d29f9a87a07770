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
from keybuzz.policy.violation import Unjudged

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
    unread: tuple[Unjudged, ...]


def read_paths(paths: Sequence[Path], base: Path) -> Reading:
    """Read files and folders; UsageError for a path that is not there. Paths below `base` are shown from it."""
    documents: list[Document] = []
    unread: list[Unjudged] = []
    for path in _files(paths):
        name = shown(path, base)
        content = _content(path)
        if isinstance(content, str):
            unread.append(Unjudged(name, content))
        elif b"\0" in content:
            unread.append(Unjudged(name, "is binary"))
        else:
            documents.append(read_document(name, content.decode("utf-8", errors="replace")))
    return Reading(tuple(documents), tuple(unread))


def _content(path: Path) -> bytes | str:
    """Return the bytes of a regular file, or why it is not read. Nothing that could wait is opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            return "is no regular file"
        if status.st_size > _LARGEST:
            return f"is larger than {_LARGEST >> 20} MiB"
        try:
            content = stream.read(_LARGEST + 1)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
    return content if len(content) <= _LARGEST else f"is larger than {_LARGEST >> 20} MiB"


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return each file once, by name. A file that is named itself is read whatever it is."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = _from_git(path) or _walked(path)
            found.update(dict.fromkeys(sorted(file for file in inside if _is_read(file))))
        elif path.exists() or path.is_symlink():
            found[path] = None
        else:
            raise UsageError(f"there is no {path}", hint="give files or folders that exist")
    return list(found)


def _is_read(file: Path) -> bool:
    """Return True for what the folder itself holds: a link leads elsewhere, and a submodule is a folder."""
    return file.name not in _LOCK_FILES and not file.is_symlink() and not file.is_dir()


def _from_git(folder: Path) -> list[Path]:
    """Return the files that git knows or would add, or nothing when the folder is not git's."""
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [folder / os.fsdecode(name) for name in (listed or b"").split(b"\0") if name]


def git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git prints about a folder, or None when it refuses. It only lists, and runs nothing."""
    safe = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    try:
        done = subprocess.run(
            ["git", *safe, "-C", str(folder), *arguments],
            # Inside a hook these name the repository of the commit, whatever the folder is.
            env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            capture_output=True,
            timeout=_GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        yield from (Path(place) / name for name in names)


def shown(path: Path, base: Path) -> str:
    """Return a path as a check prints it: from `base` where it is below it."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (a link's own name is shown, not its target's)
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else path)

"""What W2 and W3 are about on each host: 20 files, 3 directories, 5 kernel settings, as every program knows them."""

from __future__ import annotations

from pathlib import Path

FILES = tuple(f"file-{number:02}.conf" for number in range(20))
DIRECTORIES = ("a", "b", "c")
SETTINGS = (
    "fs.file-max",
    "kernel.pid_max",
    "net.core.somaxconn",
    "vm.max_map_count",
    "vm.swappiness",
)


def text(name: str, version: int) -> str:
    """Return a file's content, about one KiB."""
    return "".join(f"{name} {line:02} = version {version} of this line\n" for line in range(30))


def setting(name: str) -> str:
    """Return the value that the kernel uses now: the one that the hosts must have."""
    return " ".join(Path("/proc/sys", name.replace(".", "/")).read_text().split())


def write_host(folder: Path, version: int) -> None:
    """Put one host's files and directories in place."""
    for directory in DIRECTORIES:
        (folder / directory).mkdir(parents=True, exist_ok=True)
    write_files(folder, version)


def write_files(folder: Path, version: int) -> None:
    """Write all files of one version."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_text(text(name, version))


def has_version(folder: Path, version: int) -> bool:
    """Return whether every file of a host is of this version."""
    return all((folder / name).read_text() == text(name, version) for name in FILES)

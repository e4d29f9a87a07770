"""Where the repository lies on backup-01, and what works on it there. Pure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from keybuzz.site.backups.archive import Work
from keybuzz.site.site import Site
from tasks.backup import parameters, values

ROOT = f"{values.ROOT}/store"
LISTED = "catalogue.json"
CATALOGUE = f"{ROOT}/{LISTED}"
KEY = "BACKUP_KEY"
_LONG = 6 * 3600.0
LOADER = (
    "import sys; key = sys.stdin.readline().rstrip(chr(10)); names = {'__name__': 'kbz'}; "
    "exec(compile(sys.stdin.read(), 'kbz', 'exec'), names); sys.exit(names['main'](key, sys.argv[1:]))"
)
"""Runs the program that follows a secret on its standard input: the secret is in no argument, and no file is left."""


@cache
def source(name: str) -> str:
    """Return the text of a program that runs on backup-01."""
    folder = Path(__file__).parent.parent / "on_host"
    return (folder / f"{name}.py").read_text(encoding="utf-8")


def program(
    name: str,
    program_name: str,
    secret: str,
    *words: str,
    seconds: float = _LONG,
    needed: bool = True,
) -> Work:
    """Return what runs one of kbz's programs on backup-01: a secret and the program go in by its input."""
    return Work(
        name,
        ("python3", "-I", "-c", LOADER, *words),
        seconds,
        stdin=f"{secret}\n{source(program_name)}",
        needed=needed,
    )


def repository(site: Site, name: str, *words: str, needed: bool = True) -> Work:
    """Return one act on the repository, with its key."""
    key = site.secret(KEY).reveal()
    return program(name, "repository", key, ROOT, *words, needed=needed)


def noting(name: str, *words: str) -> Work:
    """Return one act on the list of the backups alone: it needs no key."""
    return program(name, "repository", "", ROOT, *words, seconds=60.0)


def staging(service: str) -> str:
    """Return where a service's files lie until they are in the repository."""
    return f"{ROOT}/staging/{service}"


def retention(site: Site) -> tuple[str, ...]:
    """Return how many backups of a service are kept: the newest, then one a day, a week and a month."""
    found = (
        parameters.KEEP_LEAST.of(site),
        parameters.STORE_DAILY.of(site),
        parameters.STORE_WEEKLY.of(site),
        parameters.STORE_MONTHLY.of(site),
    )
    return tuple(str(number) for number in found)

"""How PostgreSQL is backed up: what runs on backup-01 for `kbz backup`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.reading import Answer, Reading
from keybuzz.site.backups.archive import Archive, Work
from keybuzz.site.site import Site
from tasks.backup import placing, values
from tasks.backup.desired import look, source
from tasks.backup.postgres import restored
from tasks.backup.postgres.copies import copies
from tasks.backup.programs import SECONDS, barman, note

_INSIDE = "/backup"
_FOUND = "pg_verifybackup: error"


def take(site: Site, answers: Mapping[str, Answer], image: str) -> tuple[Work, ...]:
    """Return the base backup, with the WAL that it needs before it counts as taken."""
    del answers, image  # the official endpoint leads to the leader, and Barman has its own program
    server = values.server(site)
    return (
        # Without any file of WAL that arrived, Barman begins no backup.
        Work(
            "close the WAL file, and file it",
            barman("switch-wal", "--force", "--archive", "--archive-timeout", "120", server),
            300.0,
        ),
        Work(
            "base backup, until the WAL that it needs is filed",
            barman("backup", "--wait", "--wait-timeout", "600", server),
            SECONDS,
        ),
    )


def verify(site: Site, copy: str, image: str) -> tuple[Work, ...]:
    """Return how each file of a backup is compared with its manifest, by PostgreSQL's own program."""
    data = f"{values.BARMAN_HOME}/{values.server(site)}/base/{copy}/data"
    return (
        Work(
            f"every file of {copy} against its manifest",
            (
                *("docker", "run", "--rm", "--network", "none", "--user", "0"),
                *("-v", f"{data}:{_INSIDE}:ro", "--entrypoint", "pg_verifybackup"),
                *(image, "--no-parse-wal", "--exit-on-error", _INSIDE),
            ),
            SECONDS,
        ),
    )


def damaged(exit_code: int | None, said: str) -> bool:
    """Return whether the program itself found damage: Docker, the kernel or the time may end it too."""
    return exit_code == 1 and _FOUND in said


def mark(site: Site, copy: str, found: str) -> Work:
    """Return the note of what was found, beside the archive: the checks read it there."""
    del site
    return note(f"verified-{copy}", found)


def _ask(site: Site) -> tuple[Reading, ...]:
    entered = values.entry(site)
    return (look(site), source(site, entered)) if entered else ()


POSTGRES = Archive(
    service="postgres",
    name=values.server,
    image="patroni",
    ask=_ask,
    copies=lambda site, answers: copies(answers),
    take=take,
    verify=verify,
    damaged=damaged,
    mark=mark,
    place=placing.restored("postgres", "postgres"),
    scratch=placing.scratch("postgres", "postgres"),
    away=placing.away,
    free=placing.free,
    restore=restored.restore,
    reached=restored.reached,
    opened=restored.opened,
)

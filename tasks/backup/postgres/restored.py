"""PostgreSQL as of a time, beside the living cluster: a server of its own on backup-01, without a network. Pure."""

from __future__ import annotations

from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.site import Site
from tasks.backup import values
from tasks.backup.placing import begin, complete
from tasks.backup.programs import SECONDS, barman, note

_UID = "999"
_DATA = "/var/lib/postgresql/data"
_SOCKETS = "/var/run/postgresql"
_OPEN_SECONDS = 6 * 3600.0
"""For the server to replay WAL up to the time."""

LAST_WAL_SCRIPT = """
set -eu
for file in "$1"/wals/*.history; do
    [ ! -f "$file" ] || cp "$file" "$2/barman_wal/"
done
for file in "$1"/streaming/*.partial; do
    name=$(basename "$file" .partial)
    [ ! -f "$file" ] || [ -e "$2/barman_wal/$name" ] || cp "$file" "$2/barman_wal/$name"
done
"""
"""The last file of WAL is still being written where it is received: on the worst day it holds the last seconds."""
OPENED_SCRIPT = """
while [ "$(docker inspect -f '{{.State.Running}}' "$1")" = true ]; do
    asked=$(docker exec "$1" psql -XqAt -h "$2" -U "$3" -d postgres -c 'select not pg_is_in_recovery()' 2>/dev/null)
    [ "$asked" = t ] && exit 0
    sleep 1
done
docker logs --tail 20 "$1" 2>&1 | grep -E 'FATAL|PANIC|ERROR' | tail -2
exit 1
"""
_REACHED = "select coalesce(pg_last_xact_replay_timestamp()::text, 'the end of the backup')"


def _psql(place: Place, user: str, *words: str) -> tuple[str, ...]:
    return ("docker", "exec", place.container, "psql", "-XqAt", "-h", _SOCKETS, "-U", user, *words)


def reached(site: Site, place: Place) -> Work:
    """Return what prints the time of the last transaction that was replayed."""
    user = site.secret("POSTGRES_SUPERUSER").reveal()
    return Work("the last transaction", _psql(place, user, "-d", "postgres", "-c", _REACHED), 60.0)


def opened(site: Site, place: Place) -> tuple[str, ...]:
    """Return the command, on backup-01, that comes in to the restored data."""
    user, database = site.secret("POSTGRES_SUPERUSER").reveal(), site.secret("POSTGRES_DB").reveal()
    return _psql(place, user, "-d", database, "-c", "\\dt")


def restore(site: Site, place: Place, copy: str, until: str, image: str) -> tuple[Work, ...]:
    """Return the whole way: the files, the WAL up to the time, and a server that has replayed it.

    What a restore that was cut off has left is begun again: it was never opened, and lies under a name of its own.
    """
    server = values.server(site)
    # With a timeline Barman lays the WAL beside the data, and PostgreSQL follows every failover in it.
    reach: tuple[str, ...] = ("--target-tli", "latest")
    reach += ("--target-time", until, "--target-action", "promote") if until else ()
    archive = f"{values.BARMAN_HOME}/{server}"
    superuser = site.secret("POSTGRES_SUPERUSER").reveal()
    return (
        begin(place),
        Work(
            "ask the leader to close its WAL file",
            barman("switch-wal", "--force", "--archive", "--archive-timeout", "30", server),
            120.0,
            needed=False,
        ),
        Work("file the WAL that was received", barman("archive-wal", server), 3600.0, needed=False),
        Work(
            f"copy {copy} and its WAL",
            barman("recover", *reach, server, copy, place.folder),
            SECONDS,
        ),
        Work(
            "add the WAL file that is still being received",
            ("sh", "-c", LAST_WAL_SCRIPT, "sh", archive, place.folder),
            600.0,
        ),
        Work(
            "give the files to the server", ("chown", "-R", f"{_UID}:{_UID}", place.folder), 3600.0
        ),
        Work("close them to others", ("chmod", "700", place.folder), 60.0),
        _serve(place, image),
        Work(
            "replay up to the time",
            ("sh", "-c", OPENED_SCRIPT, "sh", place.container, _SOCKETS, superuser),
            _OPEN_SECONDS,
        ),
        note("restored"),
        complete(place),
    )


def _serve(place: Place, image: str) -> Work:
    """Return the server's start: it listens on its socket only, and reaches nothing."""
    settings = ("listen_addresses=", f"unix_socket_directories={_SOCKETS}", "archive_mode=off")
    options = tuple(word for setting in settings for word in ("-c", setting))
    return Work(
        "start a server on them",
        (
            *("docker", "run", "--detach", "--name", place.container, "--network", "none"),
            # Barman's restore_command names the folder as the host does, the settings name it as Patroni does.
            *("-v", f"{place.folder}:{_DATA}", "-v", f"{place.folder}:{place.folder}"),
            *("--user", "postgres", "--entrypoint", "postgres"),
            *(image, "-D", _DATA, *options),
        ),
        300.0,
    )

"""PostgreSQL as of a time, beside the living cluster: a server of its own on backup-01, without a network. Pure."""

from __future__ import annotations

from keybuzz.site.module import Work
from keybuzz.site.site import Site
from tasks.backup import values
from tasks.backup.programs import SECONDS, barman, note

CONTAINER = "kbz-restored-postgres"
TARGET = f"{values.RESTORED}/postgres"
_BEGUN, _DONE = f"{TARGET}.begun", f"{TARGET}.done"
"""Files that say how far a restore came: what lies in the target without either is not kbz's."""
LEAVES = f"the container {CONTAINER}, the folder {TARGET} and the file {_DONE}"
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
FREE_SCRIPT = """
if [ ! -e "$1" ] && ! docker container inspect "$4" >/dev/null 2>&1; then exit 0; fi
[ ! -e "$3" ] || { echo "a restored server is there since $(date -Is -r "$3")"; exit 1; }
[ ! -e "$2" ] || exit 0
[ ! -e "$1" ] || { echo "$1 is there, and is no restore of kbz"; exit 1; }
echo "a container $4 is there"
exit 1
"""
"""The mark of a restore whose folder and container were both taken away is in the way of nothing."""
AGAIN_SCRIPT = """
set -eu
if [ -e "$2" ]; then docker rm --force "$4" >/dev/null 2>&1 || true; rm -rf "$1"; fi
[ -e "$1" ] || rm -f "$3"
touch "$2"
"""
"""The mark of an earlier restore goes first: a restore that is cut off then is never taken for a complete one."""
_REACHED = "select coalesce(pg_last_xact_replay_timestamp()::text, 'the end of the backup')"

FREE = Work(
    "nothing is in the way",
    ("sh", "-c", FREE_SCRIPT, "sh", TARGET, _BEGUN, _DONE, CONTAINER),
    60.0,
)


def _psql(user: str, *words: str) -> tuple[str, ...]:
    return ("docker", "exec", CONTAINER, "psql", "-XqAt", "-h", _SOCKETS, "-U", user, *words)


def reached(site: Site) -> Work:
    """Return what prints the time of the last transaction that was replayed."""
    user = site.secret("POSTGRES_SUPERUSER").reveal()
    return Work("the last transaction", _psql(user, "-d", "postgres", "-c", _REACHED), 60.0)


def opened(site: Site) -> tuple[str, ...]:
    """Return the command, on backup-01, that comes in to the restored data."""
    user, database = site.secret("POSTGRES_SUPERUSER").reveal(), site.secret("POSTGRES_DB").reveal()
    return _psql(user, "-d", database)


def restore(site: Site, copy: str, until: str, image: str) -> tuple[Work, ...]:
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
        Work(
            "begin, without what a restore that was cut off has left",
            ("sh", "-c", AGAIN_SCRIPT, "sh", TARGET, _BEGUN, _DONE, CONTAINER),
            3600.0,
        ),
        Work(
            "ask the leader to close its WAL file",
            barman("switch-wal", "--force", "--archive", "--archive-timeout", "30", server),
            120.0,
            needed=False,
        ),
        Work("file the WAL that was received", barman("archive-wal", server), 3600.0, needed=False),
        Work(
            f"copy {copy} and its WAL",
            barman("recover", *reach, server, copy, TARGET),
            SECONDS,
        ),
        Work(
            "add the WAL file that is still being received",
            ("sh", "-c", LAST_WAL_SCRIPT, "sh", archive, TARGET),
            600.0,
        ),
        Work("give the files to the server", ("chown", "-R", f"{_UID}:{_UID}", TARGET), 3600.0),
        Work("close them to others", ("chmod", "700", TARGET), 60.0),
        _serve(image),
        Work(
            "replay up to the time",
            ("sh", "-c", OPENED_SCRIPT, "sh", CONTAINER, _SOCKETS, superuser),
            _OPEN_SECONDS,
        ),
        note("restored"),
        Work("note that it is complete", ("mv", "-T", _BEGUN, _DONE), 60.0),
    )


def _serve(image: str) -> Work:
    """Return the server's start: it listens on its socket only, and reaches nothing."""
    settings = ("listen_addresses=", f"unix_socket_directories={_SOCKETS}", "archive_mode=off")
    options = tuple(word for setting in settings for word in ("-c", setting))
    return Work(
        "start a server on them",
        (
            *("docker", "run", "--detach", "--name", CONTAINER, "--network", "none"),
            # Barman's restore_command names the folder as the host does, the settings name it as Patroni does.
            *("-v", f"{TARGET}:{_DATA}", "-v", f"{TARGET}:{TARGET}"),
            *("--user", "postgres", "--entrypoint", "postgres"),
            *(image, "-D", _DATA, *options),
        ),
        300.0,
    )

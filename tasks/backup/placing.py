"""The place of a restore on backup-01: it is empty before, and marks say how far it came. Pure."""

from __future__ import annotations

from keybuzz.site.backups.archive import Place, Work
from tasks.backup import values

FREE_SCRIPT = """
if [ ! -e "$1" ] && ! { [ -n "$4" ] && docker container inspect "$4" >/dev/null 2>&1; }; then exit 0; fi
[ ! -e "$3" ] || { echo "a restored server is there since $(date -Is -r "$3")"; exit 1; }
[ ! -e "$2" ] || exit 0
[ ! -e "$1" ] || { echo "$1 is there, and is no restore of kbz"; exit 1; }
echo "a container $4 is there"
exit 1
"""
"""The mark of a restore whose folder and container were both taken away is in the way of nothing."""
AGAIN_SCRIPT = """
set -eu
if [ -e "$2" ]; then [ -z "$4" ] || docker rm --force --volumes "$4" >/dev/null 2>&1 || true; rm -rf "$1"; fi
[ -e "$1" ] || rm -f "$3"
mkdir -p -m 700 "$(dirname "$2")"
touch "$2"
"""
"""The mark of an earlier restore goes first: a restore that is cut off then is never taken for a complete one."""
AWAY_SCRIPT = """
set -eu
if [ -n "$4" ]; then
    docker rm --force --volumes "$4" >/dev/null 2>&1 || true
    ! docker container inspect "$4" >/dev/null 2>&1 || { echo "the container $4 does not go"; exit 1; }
fi
rm -rf "$1" "$2" "$3"
"""


def restored(service: str, container: str = "") -> Place:
    """Return where `kbz restore` brings a service's data."""
    return Place(f"{values.RESTORED}/{service}", container and f"kbz-restored-{container}")


def scratch(service: str, container: str = "") -> Place:
    """Return where a drill brings it."""
    return Place(f"{values.DRILLED}/{service}", container and f"kbz-drilled-{container}")


def _words(place: Place) -> tuple[str, ...]:
    return ("sh", place.folder, place.begun, place.done, place.container)


def free(place: Place) -> Work:
    """Return what ends well while nothing is in the way of a restore, and else prints what is."""
    return Work("nothing is in the way", ("sh", "-c", FREE_SCRIPT, *_words(place)), 60.0)


def begin(place: Place) -> Work:
    """Return the first step of a restore."""
    return Work(
        "begin, without what a restore that was cut off has left",
        ("sh", "-c", AGAIN_SCRIPT, *_words(place)),
        3600.0,
    )


def complete(place: Place) -> Work:
    """Return the last step of a restore: from then on what lies there is the operator's."""
    return Work("note that it is complete", ("mv", "-T", place.begun, place.done), 60.0)


def away(place: Place) -> Work:
    """Return what takes a drill's own place away, whatever is left of it."""
    return Work("take it away", ("sh", "-c", AWAY_SCRIPT, *_words(place)), 3600.0)

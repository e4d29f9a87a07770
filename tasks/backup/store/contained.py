"""A service's own programs over a folder of backup-01, in a container of its image. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keybuzz.model.core.reading import Answer
from keybuzz.site.backups.archive import Outflow, Place, Work

INSIDE = "/backup"
DAMAGED = 65
"""Exit code of what finds damage: no other end of a container has it."""
NO_NETWORK, NETWORK = "none", "host"
_RUN = """
docker rm --force --volumes "$1" >/dev/null 2>&1 || true
exec docker run --rm --interactive --name "$@"
"""
"""A container that a backup left which was cut off goes first."""
_SERVE = """
docker rm --force --volumes "$1" >/dev/null 2>&1 || true
exec docker run --detach --network none --name "$@" >/dev/null
"""
_AWAIT = """
container=$1
shift
while [ "$(docker inspect -f '{{.State.Running}}' "$container" 2>/dev/null)" = true ]; do
    docker exec "$container" "$@" >/dev/null 2>&1 && exit 0
    sleep 0.3
done
docker logs --tail 5 "$container" 2>&1
exit 1
"""


def contained(
    name: str,
    service: str,
    image: str,
    folder: str,
    script: str,
    *words: str,
    network: str = NO_NETWORK,
    secret: str = "",
    of: Outflow | None = None,
    unfit: Callable[[Mapping[str, Answer]], str] | None = None,
) -> Work:
    """Return a script inside a service's image that sees a folder.

    It reads a secret from its input, or what another host's program prints.
    """
    return Work(
        name,
        (
            *("sh", "-c", _RUN, "sh", f"kbz-backup-{service}"),
            *("--network", network, "--user", "0", "-v", f"{folder}:{INSIDE}"),
            *("--entrypoint", "sh", image, "-c", script, "sh", *words),
        ),
        6 * 3600.0,
        stdin=f"{secret}\n" if secret else "",
        of=of,
        unfit=unfit,
    )


def served(place: Place, image: str, *words: str) -> Work:
    """Return the start of a server that reaches nothing; `words` are options of Docker, and after `--` its command."""
    at = words.index("--")
    argv = ("sh", "-c", _SERVE, "sh", place.container, *words[:at], image, *words[at + 1 :])
    return Work("start a server on them", argv, 300.0)


def awaited(place: Place, *words: str) -> Work:
    """Return the wait until a command inside the server ends well; it fails at once when the server is gone."""
    argv = ("sh", "-c", _AWAIT, "sh", place.container, *words)
    return Work("wait until it has read them", argv, 6 * 3600.0)

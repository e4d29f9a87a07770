"""Redis in the repository: the RDB file of a replica, never of the master. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.site import Site
from tasks.backup.store.contained import INSIDE, NETWORK, awaited, contained, served
from tasks.backup.store.service import Source, Stored
from tasks.redis.service.readings import RedisAnswer, RedisQuery

_GROUP, _PORT = "redis", 6379
_INFO = ("INFO", "replication")
_ACCOUNT = "999:1000"
"""User and group `redis` of the image."""
_SOCKET = "/tmp/redis.sock"

FILL_SCRIPT = """
set -eu
read -r REDISCLI_AUTH
export REDISCLI_AUTH
role=$(redis-cli -h "$1" -p "$2" role | head -n 1)
[ "$role" = slave ] || { echo "$1 is no replica any more: $role"; exit 1; }
exec redis-cli -h "$1" -p "$2" --rdb /backup/redis.rdb
"""
PROVE_SCRIPT = """
set -u
cd /tmp
redis-check-rdb /backup/redis.rdb >said 2>&1
code=$?
if [ $code -ne 0 ]; then
    grep -v '^$' said | tail -n 3
    [ $code -ne 1 ] || code=65
    exit $code
fi
keys=$(sed -n 's/.*[^0-9]\\([0-9][0-9]*\\) keys read.*/\\1/p' said)
printf '{"keys": %s}\\n' "${keys:?redis-check-rdb counts no keys}" >counts
if [ -e /backup/kbz.counts.json ]; then
    cmp -s counts /backup/kbz.counts.json && exit 0
    echo "it holds $keys keys, and when it was taken $(cat /backup/kbz.counts.json) was counted"
    exit 65
fi
cp counts /backup/kbz.counts.json
"""
COUNT_SCRIPT = """
set -eu
said=$(docker exec "$1" redis-cli -s "$2" info persistence | tr -d '\\r')
loaded=$(echo "$said" | sed -n 's/^rdb_last_load_keys_loaded://p')
expired=$(echo "$said" | sed -n 's/^rdb_last_load_keys_expired://p')
wanted=$(sed -n 's/.*"keys": *\\([0-9]*\\).*/\\1/p' "$3/kbz.counts.json")
[ $((loaded + expired)) -eq "$wanted" ] && exit 0
echo "the server has read $loaded keys and $expired that have expired; $wanted were taken"
exit 1
"""


def ask(site: Site) -> tuple[Reading, ...]:
    """Return the question to each member who it is."""
    return tuple(
        RedisQuery(
            _question(server.name),
            str(server.address),
            _PORT,
            (_INFO,),
            site.secret("REDIS_PASSWORD"),
            site.former.get("REDIS_PASSWORD"),
        )
        for server in site.members(_GROUP)
    )


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return the replica that is in step with its master and has most of its data."""
    fit: dict[str, int] = {}
    why: list[str] = []
    for server in site.members(_GROUP):
        fields = _fields(answers.get(_question(server.name)))
        if isinstance(fields, str):
            why.append(f"{server.name}: {fields}")
        elif fields.get("role") != "slave":
            why.append(f"{server.name} is {fields.get('role') or 'of no known role'}")
        elif fields.get("master_link_status") != "up":
            why.append(f"{server.name} does not reach its master")
        else:
            offset = fields.get("slave_repl_offset", "")
            fit[server.name] = int(offset) if offset.isdecimal() else 0
    if not fit:
        raise RefusedError(
            f"no replica of Redis can be the source: {'; '.join(why)}",
            where="redis",
            hint=proposed("kbz", "health", "redis"),
        )
    best = max(fit, key=lambda name: (fit[name], name))
    return Source(best, str(site.server(best).address), _name(site))


def _question(host: str) -> str:
    return f"backup.redis.{host}"


def _fields(answer: Answer | None) -> dict[str, str] | str:
    """Return what a member says of its replication, or why it does not."""
    if answer is None or not answer.known:
        return answer.problem if answer else "was not asked"
    found: RedisAnswer = answer.value
    if found["denied"]:
        return found["denied"]
    reply = found["replies"].get(" ".join(_INFO))
    if not isinstance(reply, dict) or "error" in reply:
        return "it does not say who it is"
    return reply


def _name(site: Site) -> str:
    return site.secret("REDIS_MASTER_NAME").reveal()


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how the replica sends its data, as to another replica."""
    return (
        contained(
            f"the RDB file of {source.host}",
            "redis",
            image,
            folder,
            FILL_SCRIPT,
            source.address,
            str(_PORT),
            network=NETWORK,
            secret=site.secret("REDIS_PASSWORD").reveal(),
        ),
    )


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return the reading of the whole file by Redis's own program."""
    return (contained("redis-check-rdb", "redis", image, folder, PROVE_SCRIPT),)


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return a server on the file: it listens on a socket inside its container only, and writes nothing."""
    return (
        Work("give the files to the server", ("chown", "-R", _ACCOUNT, place.folder), 600.0),
        served(
            place,
            image,
            *("-v", f"{place.folder}:{INSIDE}:ro", "--user", _ACCOUNT),
            *("--entrypoint", "redis-server", "--"),
            *("--dir", INSIDE, "--dbfilename", "redis.rdb", "--appendonly", "no", "--save", ""),
            *("--port", "0", "--unixsocket", _SOCKET),
        ),
        awaited(
            place, "sh", "-c", f"redis-cli -s {_SOCKET} info persistence | grep -q '^loading:0'"
        ),
        Work(
            "count its keys",
            ("sh", "-c", COUNT_SCRIPT, "sh", place.container, _SOCKET, place.folder),
            60.0,
        ),
    )


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    return ("docker", "exec", place.container, "redis-cli", "-s", _SOCKET, "info", "keyspace")


REDIS = Stored(
    service="redis",
    name=_name,
    image="redis",
    ask=ask,
    # Redis has no number of its cluster: the master's name is all that tells one from another.
    cluster=lambda site, answers: _name(site),
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
)

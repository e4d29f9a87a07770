"""Sentinel: its own file, and what it knows about the master. Who is master is never set here."""

from __future__ import annotations

import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent.resp import Connection, RedisError, pairs
from tasks.redis.agent.runtime_file import edit, lines_of, seed, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context


def read_sentinel_runtime(query: Query, context: Context) -> State:
    """Read owner, mode, and which master it monitors, since which epoch."""
    return state_of(query["name"], lambda lines: _monitored(lines, query["master"]))


def _monitored(lines: list[str], master: str) -> dict[str, object]:
    address, epoch = "", 0
    for words in (line.split() for line in lines):
        match words:
            case ["sentinel", "monitor", name, found, *_] if name == master:
                address = found
            case ["sentinel", "config-epoch", name, number] if name == master:
                epoch = int(number) if number.isdecimal() else 0
    return {"monitors": address, "epoch": epoch}


def write_sentinel_runtime(order: Query, context: Context) -> None:
    """Make the file when it is absent; of one that is there only owner and mode are set."""
    if opener.is_there(order["name"]):
        edit(order, None)
        return
    if not order["text"]:
        raise AgentError(
            f"the order does not say what {order['name']} monitors", "kbz run redis decides"
        )
    seed(order, order["text"])


def _open(query: Query) -> Connection:
    return Connection(query["address"], query["sentinel_port"])


def read_sentinel_monitor(query: Query, context: Context) -> State:
    """Read the settings of the master of this name; a Sentinel that does not know it has none."""
    with _open(query) as sentinel:
        try:
            found = pairs(sentinel.call("SENTINEL", "MASTER", query["name"]))
        except RedisError as error:
            if "No such master" not in error.what:
                raise
            return {"present": False, "attributes": {}}
        announced = {
            key: pairs(sentinel.call("SENTINEL", "CONFIG", "GET", key)).get(key)
            for key in ("announce-ip", "announce-port")
        }
    return {
        "present": True,
        "attributes": {
            "quorum": found.get("quorum"),
            **{key: found.get(key) for key in query["keys"]},
            **announced,
            "auth_pass_matches": _password(query) == query["password"],
        },
    }


def _password(query: Query) -> str | None:
    """Return Sentinel's password for Redis: it never answers it, and keeps it in its own file."""
    place = re.compile(rf"sentinel auth-pass {re.escape(query['name'])} (.*)")
    try:
        found = [match[1] for match in map(place.fullmatch, lines_of(query["runtime"])) if match]
    except FileNotFoundError:
        return None
    return found[-1] if found else None


def write_sentinel_monitor(order: Query, context: Context) -> None:
    """Set what differs; a Sentinel that knows no master of this name is told the one that the others know."""
    now = read_sentinel_monitor(order, context)
    found = now["attributes"]
    name = order["name"]
    with _open(order) as sentinel:
        if not now["present"]:
            if not order["master_address"]:
                raise AgentError(
                    f"the order does not say who {name} is", "kbz run redis decides it"
                )
            sentinel.call(
                *("SENTINEL", "MONITOR", name, order["master_address"]),
                *(str(order["port"]), order["quorum"]),
            )
        for key, value in {**order["settings"], "quorum": order["quorum"]}.items():
            if found.get(key) != value:
                sentinel.call("SENTINEL", "SET", name, key, value)
        if not found.get("auth_pass_matches"):
            sentinel.call("SENTINEL", "SET", name, "auth-pass", order["password"])
        announced = {
            "announce-ip": order["announce"],
            "announce-port": str(order["sentinel_port"]),
        }
        for key, value in announced.items():
            if found.get(key) != value:
                sentinel.call("SENTINEL", "CONFIG", "SET", key, value)

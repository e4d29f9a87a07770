"""Redis: its own file, the format of its data, its live settings, and the hand-over of the master's role."""

from __future__ import annotations

import os
import re
import stat
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent.resp import Connection, information, keep_settings, pairs
from tasks.redis.agent.runtime_file import edit, lines_of, require_stopped, seed, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_FOLLOW = re.compile(r"(?i)\s*(replicaof|slaveof)\s+(\S+)\s+\d+\s*")
_PAUSE = 25.0
"""Seconds after which paused writes go on by themselves, whatever becomes of us."""
_CATCH_UP = 5.0
_HAND_OVER = 15.0
"""Seconds; together they end before the pause does."""
_FIRST = "1"
"""The rank of the replica that Sentinel promotes before all others."""
_KNOWN = 30.0
"""Seconds for Sentinel to ask each replica again, which it does every 10 s; writes go on meanwhile."""


def read_redis_runtime(query: Query, context: Context) -> State:
    """Read owner, mode, and whom it follows: an address, or nothing for a master."""
    return state_of(query["name"], lambda lines: {"follows": _follows(lines)})


def _follows(lines: list[str]) -> str:
    found = [match[2] for match in map(_FOLLOW.fullmatch, lines) if match]
    return found[-1] if found and found[-1].lower() != "no" else ""


def write_redis_runtime(order: Query, context: Context) -> None:
    """Make the file when it is absent; for a stopped Redis, let it follow the master that the others know."""
    path = order["name"]
    if not opener.is_there(path):
        if order["follows"] is None:
            raise AgentError(
                f"the order does not say which master {path} follows", "kbz run redis decides it"
            )
        seed(order, "# Redis keeps its own state here. kbz makes this file once.\n" + order["line"])
        return
    lines = lines_of(path)
    if order["follows"] is not None and _follows(lines) != order["follows"]:
        if not order["follows"]:
            raise AgentError(
                f"{path} follows a master; only Sentinel promotes", "", outcome="refused"
            )
        require_stopped(order, context)
        kept = [line for line in lines if not _FOLLOW.fullmatch(line)]
        edit(order, "\n".join([*kept, order["line"]]))
        return
    edit(order, None)


def read_redis_data(query: Query, context: Context) -> State:
    """Return whether every file of data has a format that the frozen image can load; no data contradicts nothing."""
    newest = max(_versions(query["name"]), default=0)
    return {
        "present": True,
        "attributes": {"loadable": newest <= query["newest"], "newest": newest},
    }


def _versions(path: str) -> Iterator[int]:
    """Yield the version in the head of each RDB file and of each base of the append-only file."""
    for folder in (path, os.path.join(path, "appendonlydir")):
        for name, kind in opener.entries(folder) if opener.is_folder(folder) else ():
            if name.endswith((".rdb", ".aof")) and kind == stat.S_IFREG:
                head = opener.head(os.path.join(folder, name), 9)
                if head[:5] == b"REDIS" and head[5:].isdigit():
                    yield int(head[5:])


def write_redis_data(order: Query, context: Context) -> None:
    """Refuse: data is never changed."""
    raise AgentError("data is never converted or removed", "", outcome="refused")


def _open(query: Query) -> Connection:
    return Connection(query["address"], query["port"], query["password"], query["former"])


def read_redis_settings(query: Query, context: Context) -> State:
    """Read the described settings; whether the password for the master is the described one is found out here."""
    with _open(query) as redis:
        found = {key: pairs(redis.call("CONFIG", "GET", key)).get(key) for key in query["keys"]}
        secret = pairs(redis.call("CONFIG", "GET", "masterauth")).get("masterauth")
    same = {"masterauth_matches": secret == query["password"]}
    return {"present": True, "attributes": {**found, **same}}


def write_redis_settings(order: Query, context: Context) -> None:
    """Set what differs, and let Redis write it into its own file."""
    now = read_redis_settings(order, context)["attributes"]
    with _open(order) as redis:
        for key, value in order["settings"].items():
            if now[key] != value:
                redis.call("CONFIG", "SET", key, value)
        if not now["masterauth_matches"]:
            redis.call("CONFIG", "SET", "masterauth", order["password"])
        keep_settings(redis, order["file"])


def read_redis_master(query: Query, context: Context) -> State:
    """Return whether this node is the master by its own word."""
    with _open(query) as redis:
        return {"present": True, "attributes": {"leads": _leads(redis)}}


def _leads(redis: Connection) -> bool:
    role = redis.call("ROLE")
    return isinstance(role, list) and role[:1] == ["master"]


def write_redis_master(order: Query, context: Context) -> None:
    """Hand over without losing an acknowledged write: pause writes, let replicas catch up, then SENTINEL FAILOVER.

    Before that Sentinel must know its replicas as they are now: it chooses by what it knew up to 10 s ago.

    Sentinel alone promotes a replica without waiting for it, and lets the old master take writes for up to 18 s more,
    which are lost. So this node follows the new master as soon as Sentinel names it. No node is promoted here.

    A replica that is named is ranked before the others for as long as this takes: Sentinel takes no name.
    """
    rank = _prefer(order) if order["heir"] else ""
    try:
        _hand_over(order)
    finally:
        if rank:
            _rank(order, rank)


def _prefer(order: Query) -> str:
    """Rank the named replica before all others; return its rank of before, or nothing where it comes first already."""
    with _heir(order) as redis:
        before = pairs(redis.call("CONFIG", "GET", "replica-priority")).get("replica-priority", "")
        if before in ("", "0"):
            raise AgentError(
                f"{order['heir']} has replica-priority {before or 'unknown'}: Sentinel never promotes it",
                "nothing was handed over; kbz health redis",
                outcome="refused",
            )
        if before == _FIRST:
            return ""
        redis.call("CONFIG", "SET", "replica-priority", _FIRST)
    return before


def _rank(order: Query, rank: str) -> None:
    """Give the named replica its rank of before; Sentinel has let it write the other one into its file."""
    try:
        with _heir(order) as redis:
            redis.call("CONFIG", "SET", "replica-priority", rank)
            keep_settings(redis, order["file"])
    except AgentError as error:
        raise AgentError(
            f"{order['heir']} keeps replica-priority {_FIRST}: {error.what}",
            f"CONFIG SET replica-priority {rank} on it, then CONFIG REWRITE",
        ) from error


def _heir(order: Query) -> Connection:
    return Connection(order["heir"], order["port"], order["password"], order["former"])


def _hand_over(order: Query) -> None:
    with _open(order) as redis:
        _await_heir(redis, order)
        redis.call("CLIENT", "PAUSE", str(int(_PAUSE * 1000)), "WRITE")
        try:
            _await_replicas(redis)
            address, port = _fail_over(order)
            redis.call("REPLICAOF", address, port)
            keep_settings(redis, order["file"])
        finally:
            redis.call("CLIENT", "UNPAUSE")
        # Who is still connected would only get READONLY errors; as Sentinel does it.
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def _await_heir(redis: Connection, order: Query) -> None:
    """Wait until Sentinel would promote a replica, and knows the rank of each that answers."""
    deadline = time.monotonic() + _KNOWN
    while why := _no_heir(redis, order):
        if time.monotonic() > deadline:
            raise AgentError(
                f"{why}, and that has not changed for {_KNOWN:g} s",
                "nothing was handed over, and no write waited; kbz health redis",
            )
        time.sleep(0.2)


def _no_heir(redis: Connection, order: Query) -> str:
    """Return why SENTINEL FAILOVER would promote no replica now, or one that must not be; empty when it is fit."""
    ranks = _ranks(redis, order)
    with Connection(order["address"], order["sentinel_port"]) as sentinel:
        told = sentinel.call("SENTINEL", "REPLICAS", order["master"])
    replicas = [pairs(item) for item in told] if isinstance(told, list) else []
    known = {f"{item.get('ip')}:{item.get('port')}": item for item in replicas}
    for place, rank in sorted(ranks.items()):
        other = known.get(place, {}).get("slave-priority", "no")
        if other != rank:
            return f"{place} has replica-priority {rank}, and Sentinel knows {other} of it"
    wanted = [f"{order['heir']}:{order['port']}"] if order["heir"] else list(ranks)
    if any(ranks.get(place, "0") != "0" and _fit(known[place]) for place in wanted):
        return ""
    states = ", ".join(f"{place} {_state(known[place])}" for place in sorted(ranks))
    whom = f"not promote {order['heir']}" if order["heir"] else "promote no replica"
    return f"Sentinel would {whom} ({states or 'none answers'})"


def _ranks(redis: Connection, order: Query) -> dict[str, str]:
    """Return the rank of each replica by its own word; one that does not let us in is Sentinel's matter."""
    found: dict[str, str] = {}
    for line in _replicas(information(redis.call("INFO", "replication"))):
        fields = dict(item.partition("=")[::2] for item in line.split(","))
        address, port = fields.get("ip", ""), fields.get("port", "")
        try:
            with Connection(address, int(port), order["password"], order["former"]) as replica:
                own = information(replica.call("INFO", "replication"))
        except (AgentError, ValueError):
            continue
        found[f"{address}:{port}"] = own.get("slave_priority", "")
    return found


def _fit(replica: dict[str, str]) -> bool:
    return replica.get("flags") == "slave" and replica.get("master-link-status") == "ok"


def _state(replica: dict[str, str]) -> str:
    names = ("slave-priority", "flags", "master-link-status")
    return " ".join(replica.get(name, "?") for name in names)


def _replicas(found: dict[str, str]) -> list[str]:
    """Return what a master tells of each of its replicas."""
    return [value for name, value in found.items() if re.fullmatch(r"slave\d+", name)]


def _await_replicas(redis: Connection) -> None:
    deadline = time.monotonic() + _CATCH_UP
    while True:
        found = information(redis.call("INFO", "replication"))
        replicas = _replicas(found)
        behind = [r for r in replicas if f"offset={found['master_repl_offset']}," not in r]
        if replicas and not behind:
            return
        if time.monotonic() > deadline:
            raise AgentError(
                f"{len(behind)} of {len(replicas)} replicas do not catch up within {_CATCH_UP:g} s",
                "nothing was handed over; kbz health redis",
            )
        time.sleep(0.05)


def _fail_over(order: Query) -> tuple[str, str]:
    """Ask Sentinel for another master; return its address and port once Sentinel names it."""
    deadline = time.monotonic() + _HAND_OVER
    with Connection(order["address"], order["sentinel_port"]) as sentinel:
        sentinel.call("SENTINEL", "FAILOVER", order["master"])
        while time.monotonic() < deadline:
            found = pairs(sentinel.call("SENTINEL", "MASTER", order["master"]))
            if found["ip"] != order["address"]:
                return found["ip"], found["port"]
            time.sleep(0.1)
    raise AgentError(
        f"Sentinel accepted, but names no other master after {_HAND_OVER:g} s",
        "writes go on; kbz health redis",
    )

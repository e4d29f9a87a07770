"""The reading `redis`: a fixed list of commands that only read, parsed, and never with a password in the answer."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent.resp import Connection, DeniedError, RedisError, information, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tasks.redis.agent.resp import Reply

_SETTINGS = frozenset(
    {
        "appendonly",
        "appendfsync",
        "save",
        "maxmemory",
        "maxmemory-policy",
        "bind",
        "port",
        "dir",
        "replica-priority",
        "min-replicas-to-write",
    }
)
"""Keys of CONFIG GET that an answer may hold: none of them is a secret."""

_NO_PERMISSION = "NOPERM"
"""How Redis refuses one command to a user that it has let in (ACL)."""


def answer_redis(query: dict[str, Any]) -> dict[str, Any]:
    """Return {"denied": why or "", "replies": {command: parsed answer}}.

    An error of one command is {"error": text} in its place. No answer on that port is a problem of the whole reading.
    """
    replies: dict[str, Any] = {}
    try:
        place = (query["address"], query["port"])
        with Connection(*place, query["password"], query["former"]) as connection:
            for words in query["commands"]:
                replies[" ".join(words)] = _one(connection, words)
    except DeniedError as error:
        return {"denied": error.what, "replies": {}}
    refused = [_refused(reply) for reply in replies.values()]
    if refused and all(refused):
        return {"denied": refused[0], "replies": {}}
    return {"denied": "", "replies": replies}


def _refused(reply: Any) -> str:
    """Return why Redis does not let us give a command, while it lets us in; empty when it does."""
    error = reply.get("error", "") if isinstance(reply, dict) else ""
    return error if isinstance(error, str) and error.startswith(_NO_PERMISSION) else ""


def answer_redis_write(query: dict[str, Any]) -> dict[str, Any]:
    """Return whether a key can be written and read back there; it expires by itself, after a minute."""
    role = ""
    try:
        with Connection(query["address"], query["port"], query["password"]) as connection:
            role = information(connection.call("INFO", "replication")).get("role", "")
            connection.call("SET", query["key"], "kbz", "EX", "60")
            back = connection.call("GET", query["key"])
    except (RedisError, DeniedError) as error:
        return {"accepted": False, "role": role, "reason": error.what}
    reason = "" if back == "kbz" else "what was written does not come back"
    return {"accepted": back == "kbz", "role": role, "reason": reason}


def _one(connection: Connection, words: list[str]) -> Any:
    parse = _parser(words)
    try:
        return parse(connection.call(*words))
    except RedisError as error:
        return {"error": error.what}
    except DeniedError as error:
        if not error.what.startswith(_NO_PERMISSION):
            raise
        return {"error": error.what}


def _parser(words: list[str]) -> Any:
    """Return what turns the answer into JSON; AgentError for a command that is not one of the known readings."""
    match [word.upper() for word in words[:2]]:
        case ["INFO", _] if len(words) == 2:
            return information
        case ["ROLE"]:
            return lambda reply: reply
        case ["CONFIG", "GET"] if set(words[2:]) <= _SETTINGS:
            return pairs
        case ["ACL", "LIST"] if len(words) == 2:
            return _rules
        case ["SENTINEL", "MASTER"]:
            return pairs
        case ["SENTINEL", "MASTERS" | "REPLICAS" | "SENTINELS"]:
            return _several
        case ["SENTINEL", "CKQUORUM"]:
            return lambda reply: reply
    raise AgentError(f"{' '.join(words[:3])} is no reading that this agent knows", "update kbz")


def _rules(reply: Reply) -> list[str]:
    """Return the rules of each user; of a password only that there is one."""
    if not isinstance(reply, list):
        raise RedisError("the answer is no list")
    lines = [line for line in reply if isinstance(line, str)]
    return [" ".join("#…" if w[:1] in "#>" else w for w in line.split()) for line in lines]


def _several(reply: Reply) -> list[dict[str, str]]:
    if not isinstance(reply, list):
        raise RedisError("the answer is no list")
    return [pairs(item) for item in reply]

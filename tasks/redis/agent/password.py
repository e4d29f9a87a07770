"""Redis: which passwords its one user takes. They travel as hashes, and two can be good at once."""

from __future__ import annotations

import hashlib

from keybuzz.agent.runtime.errors import AgentError
from tasks.redis.agent.resp import Connection, RedisError, keep_settings, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from tasks.redis.agent.resp import Reply

_OURS, _FORMER, _ANOTHER, _ANYBODY = "ours", "the former one", "another one", "none is asked for"


def read_redis_password(query: Query, context: Context) -> State:
    """Say which passwords are taken, by name, and whether CONFIG says the same one."""
    with _open(query) as redis:
        taken = _taken(redis, query)
        found = pairs(redis.call("CONFIG", "GET", "requirepass")).get("requirepass")
    attributes = {"taken": taken, "requirepass_matches": found == query["password"]}
    return {"present": True, "attributes": attributes}


def write_redis_password(order: Query, context: Context) -> None:
    """Let Redis take ours and the former one; or ours alone. Who is connected stays connected.

    One command does it, so that there is no moment without a password, and Redis writes it into its own file.
    """
    passwords = [word for word in (order["password"], order["former"]) if word]
    rules = [f"#{_hash(password)}" for password in passwords]
    with _open(order) as redis:
        redis.call("ACL", "SETUSER", "default", "resetpass", *rules)
        if not order["former"]:
            redis.call("CONFIG", "SET", "requirepass", order["password"])
        try:
            keep_settings(redis, order["file"])
        except RedisError as error:
            raise AgentError(
                f"Redis has the passwords and cannot keep them: {error.what}",
                "what it takes after a restart is what its file says",
            ) from None


def _open(query: Query) -> Connection:
    return Connection(query["address"], query["port"], query["password"], query["former"])


def _hash(password: str) -> str:
    """Return what Redis keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def _taken(redis: Connection, query: Query) -> list[str]:
    user = _fields(redis.call("ACL", "GETUSER", "default"))
    if "nopass" in user.get("flags", ()):
        return [_ANYBODY]
    names = {_hash(query["password"]): _OURS}
    if query["former"]:
        names[_hash(query["former"])] = _FORMER
    return sorted({names.get(digest, _ANOTHER) for digest in user.get("passwords", ())})


def _fields(reply: Reply) -> dict[str, list[str]]:
    """Return the fields of an ACL GETUSER that are lists."""
    items = reply if isinstance(reply, list) else []
    return {
        str(name): [str(word) for word in value]
        for name, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(value, list)
    }

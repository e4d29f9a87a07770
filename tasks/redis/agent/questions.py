"""What may be asked of Redis and Sentinel by a session that only looks (keybuzz.agent.guard.questions)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_REDIS = frozenset(
    {("AUTH",), ("INFO",), ("ROLE",), ("CONFIG", "GET"), ("ACL", "GETUSER"), ("ACL", "LIST")}
)
_SENTINEL = frozenset({"MASTER", "MASTERS", "REPLICAS", "SENTINELS", "CKQUORUM", "CONFIG"})
_PROBE_KEY = "kbz:probe:"


def judge_redis(words: Sequence[str], *, probe: bool) -> str:
    """Return what is wrong with a command; empty for one that only asks, or writes a probe that is allowed."""
    upper = tuple(word.upper() for word in words[:2])
    asks = upper[:1] in _REDIS or upper in _REDIS
    if upper[:1] == ("SENTINEL",):
        asks = upper[1] in _SENTINEL and (upper[1] != "CONFIG" or words[2].upper() == "GET")
    if probe and upper[0] in ("SET", "GET"):
        asks = words[1].startswith(_PROBE_KEY)
    return "" if asks else f"{' '.join(upper)} to Redis"

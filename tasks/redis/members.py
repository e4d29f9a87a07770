"""The live cluster, read from every Redis and every Sentinel: who says that it is what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.finding import Unread, of_hosts
from keybuzz.model.core.live import HostView, Live
from tasks.redis import values
from tasks.redis.desired import LEAST, PRIORITY, USERS
from tasks.redis.service.resources import SentinelMonitor

RUNTIME = f"redis-runtime:{values.redis_runtime().path}"
WHEN = ("quorum", "down-after-milliseconds", "failover-timeout")
"""Settings of Sentinel that decide whether a replica is ever promoted."""
_REFUSED = 3000
"""Milliseconds. Sentinel asks every second."""
SENTINEL_RUNTIME = f"sentinel-runtime:{values.sentinel_runtime().path}"
PASSWORD = "redis-password:default"
CONTAINERS = (f"container:{values.REDIS}", f"container:{values.SENTINEL}")


@dataclass(frozen=True, slots=True)
class RedisNode:
    """One Redis, by its own word."""

    answers: bool
    """It speaks, even if it does not let us in."""
    denied: str
    """Why it does not let us in: another password than the credential store's."""
    problem: str
    role: str
    """`master`, `slave`, or empty when it does not say."""
    follows: str
    """Address that a replica follows."""
    link_up: bool
    replicas: int
    offset: int
    version: str
    refuses: str
    """Why it would refuse writes as the master, or does so now; empty when it takes them."""
    told: bool
    """It says how its last save and its replicas are: without that `refuses` is not known."""
    writable_replica: bool | None
    """A replica that takes writes of its own, which the next copy from its master loses; None when it does not say."""
    aof: str
    """`on`, or why the append-only file does not keep every write."""
    priority: str | Unread
    """As Sentinel weighs it when it promotes a replica; 0: never."""
    users: tuple[str, ...] | Unread
    """Each user's rules, as `ACL LIST` says them, without passwords."""

    @property
    def leads(self) -> bool:
        """True when it says of itself that it is the master."""
        return self.role == "master"


@dataclass(frozen=True, slots=True)
class SentinelNode:
    """One Sentinel, and what it knows about our master."""

    answers: bool
    problem: str
    master: str
    """Address of the master under its one name; empty when it knows none of that name."""
    epoch: int
    peers: int
    replicas: int
    flags: frozenset[str]
    quorum: str
    """Empty when the quorum is reachable, else Sentinel's words."""
    names: tuple[str, ...] | Unread
    """Every master that it monitors."""
    known: tuple[str, ...]
    """Addresses of the replicas that it knows, gone ones too."""
    let_in: bool | Unread
    """The master takes its password: its pings are answered with an answer that Sentinel counts."""
    failover: Mapping[str, str] | Unread
    """When it takes the master for down, and with how many others: as set now, by the names of `WHEN`."""


@dataclass(frozen=True, slots=True)
class RedisMember:
    """One host of the cluster."""

    host: str
    address: str
    redis: RedisNode
    sentinel: SentinelNode


def members(live: Live) -> dict[str, RedisMember]:
    """Return the reachable hosts by name."""
    return {
        host: RedisMember(host, str(view.server.address), _redis(view), _sentinel(view))
        for host, view in live.hosts.items()
    }


def masters(live: Live) -> tuple[str, ...]:
    """Return every host whose Redis says that it is the master: in health exactly one."""
    return tuple(host for host, member in members(live).items() if member.redis.leads)


def unasked(found: Iterable[RedisMember]) -> Unread | None:
    """Return which Redis nodes do not say their role; None when all do."""
    mute = (member for member in found if not member.redis.role)
    return of_hosts((member.host, member.redis.problem or "says no role") for member in mute)


def up(live: Live) -> frozenset[str]:
    """Return the hosts that count for the quorum: a Sentinel that votes and a Redis that could take over.

    A Redis that does not let us in is up all the same: it serves others.
    """
    return frozenset(
        host
        for host, member in members(live).items()
        if member.sentinel.answers
        and (member.redis.denied or member.redis.leads or member.redis.link_up)
    )


def able(live: Live) -> frozenset[str]:
    """Return the master, and the replicas that Sentinel could promote now."""
    return frozenset(
        host
        for host, member in members(live).items()
        if member.redis.denied
        or member.redis.leads
        or (member.redis.link_up and member.redis.priority != "0" and not member.redis.refuses)
    )


def unborn(live: Live) -> bool:
    """Return whether nothing has ever run here: every member proves it, files that wait for a first start aside."""
    return len(live.hosts) == len(live.members) and all(empty(live, host) for host in live.hosts)


def virgin(live: Live) -> bool:
    """Return whether every member proves that it holds no data, no container and no Sentinel's state (FRZ-1)."""
    return unborn(live) and not any(
        view.present(identity)
        for view in live.hosts.values()
        for identity in (RUNTIME, SENTINEL_RUNTIME)
    )


def empty(live: Live, host: str) -> bool:
    """Return whether a host proves that it holds nothing of Redis but files that wait for a first start."""
    view, member = live.hosts[host], members(live)[host]
    data, conf = view.answer("redis.data"), view.answer("redis.conf")
    return (
        data.known
        and not data.value["names"]
        and conf.known
        and "sentinel.conf" not in conf.value["names"]
        and not any(view.present(identity) for identity in CONTAINERS)
        and not member.redis.answers
        and not member.sentinel.answers
    )


def _replies(view: HostView, name: str) -> Mapping[str, Any]:
    answer = view.answer(name)
    found = answer.value.get("replies") if answer.known and isinstance(answer.value, dict) else {}
    return found if isinstance(found, dict) else {}


def _fields(found: object) -> Mapping[str, str]:
    """Return the fields of an answer; none for an error, and none that is no text."""
    if not isinstance(found, dict) or "error" in found:
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _redis(view: HostView) -> RedisNode:
    answer = view.answer("redis.node")
    replies = _replies(view, "redis.node")
    replication = _fields(replies.get("INFO replication"))
    persistence = _fields(replies.get("INFO persistence"))
    denied = str(answer.value.get("denied", "")) if isinstance(answer.value, dict) else ""
    role = replication.get("role", "")
    offset = replication.get("master_repl_offset" if role == "master" else "slave_repl_offset")
    return RedisNode(
        answers=answer.known,
        denied=denied,
        problem=answer.problem or denied or _error(replies.get("INFO replication")),
        role=role,
        follows=replication.get("master_host", ""),
        link_up=replication.get("master_link_status") == "up",
        replicas=_number(replication.get("connected_slaves")),
        offset=_number(offset),
        version=_fields(replies.get("INFO server")).get("redis_version", ""),
        refuses=_refuses(replication, persistence, replies.get(" ".join(LEAST))),
        told="rdb_last_bgsave_status" in persistence
        and "min-replicas-to-write" in _fields(replies.get(" ".join(LEAST))),
        writable_replica={"0": True, "1": False}.get(replication.get("slave_read_only", "")),
        aof=_aof(persistence),
        priority=_priority(replies.get(" ".join(PRIORITY)), answer.problem or denied),
        users=_users(replies.get(" ".join(USERS)), answer.problem or denied),
    )


def min_replicas(view: HostView, site: str) -> str | None:
    """Return `min-replicas-to-write` as the node has it: the description says nothing of it while it is 0."""
    del site
    replies = _replies(view, "redis.node")
    return _fields(replies.get(" ".join(LEAST))).get("min-replicas-to-write")


def _refuses(replication: Mapping[str, str], persistence: Mapping[str, str], least: object) -> str:
    """Return why writes are refused: MISCONF after a save that failed, NOREPLICAS with too few good replicas."""
    saved = persistence.get("rdb_last_bgsave_status", "ok")
    if saved != "ok":
        return f"rdb_last_bgsave_status is {saved}: its disk does not take what it keeps"
    wanted = _number(_fields(least).get("min-replicas-to-write"))
    good = _number(replication.get("min_slaves_good_slaves"))
    if replication.get("role") == "master" and wanted > good:
        return f"min-replicas-to-write is {wanted}, and {good} replicas keep up"
    return ""


def _priority(found: object, problem: str) -> str | Unread:
    text = _fields(found).get("replica-priority", "")
    return text or Unread(problem or _error(found) or "Redis does not say it")


def _users(found: object, problem: str) -> tuple[str, ...] | Unread:
    """Return the rules as they are told; there is always one user, so that none is no answer."""
    listed = found if isinstance(found, list) else []
    texts = tuple(item for item in listed if isinstance(item, str))
    return texts or Unread(problem or _error(found) or "Redis names no user")


def _aof(persistence: Mapping[str, str]) -> str:
    if persistence.get("aof_enabled") != "1":
        return "off"
    for name in ("aof_last_write_status", "aof_last_bgrewrite_status"):
        if persistence.get(name, "ok") != "ok":
            return f"{name} is {persistence[name]}"
    return "on"


def _error(found: object) -> str:
    return str(found.get("error", "")) if isinstance(found, dict) else ""


def when(view: HostView) -> dict[str, str]:
    """Return the described settings that decide about a failover, by the names of `WHEN`."""
    found = next((r.watch for r in view.resources if isinstance(r, SentinelMonitor)), None)
    if found is None:
        return {}
    described = {"quorum": str(found.quorum), **dict(found.settings)}
    return {name: described[name] for name in WHEN if name in described}


def master_name(view: HostView) -> str:
    """Return the name that this host's Sentinel must know the master by."""
    found = (item.watch.master for item in view.resources if isinstance(item, SentinelMonitor))
    return next(found, "")


def _sentinel(view: HostView) -> SentinelNode:
    name = master_name(view)
    answer = view.answer("redis.sentinel")
    replies = _replies(view, "redis.sentinel")
    listed = replies.get("SENTINEL MASTERS")
    known = [_fields(item) for item in listed] if isinstance(listed, list) else []
    mine = next((item for item in known if item.get("name") == name), {})
    quorum = replies.get(f"SENTINEL CKQUORUM {name}")
    usable = isinstance(quorum, str) and quorum.startswith("OK")
    return SentinelNode(
        answers=answer.known,
        problem=answer.problem or _error(listed),
        master=mine.get("ip", ""),
        epoch=_number(mine.get("config-epoch")),
        peers=_number(mine.get("num-other-sentinels")),
        replicas=_number(mine.get("num-slaves")),
        flags=frozenset(mine.get("flags", "").split(",")),
        quorum="" if usable else _error(quorum) or "not known",
        names=tuple(item.get("name", "") for item in known)
        if isinstance(listed, list)
        else Unread(answer.problem or _error(listed) or "Sentinel names no master"),
        known=_addresses(replies.get(f"SENTINEL REPLICAS {name}")),
        let_in=_let_in(mine) if answer.known else Unread(answer.problem),
        failover={key: mine[key] for key in WHEN}
        if all(key in mine for key in WHEN)
        else Unread(answer.problem or _error(listed) or f"Sentinel does not say it of {name}"),
    )


def _let_in(fields: Mapping[str, str]) -> bool | Unread:
    """Return whether the answers to its pings are good ones: NOAUTH comes at once, and counts for nothing."""
    said = [fields.get(key, "") for key in ("last-ok-ping-reply", "last-ping-reply")]
    if not all(map(str.isdecimal, said)):
        return Unread("Sentinel does not say how its pings were answered")
    good, any_answer = map(int, said)
    return good - any_answer < _REFUSED


def _addresses(listed: object) -> tuple[str, ...]:
    fields = [_fields(item) for item in listed] if isinstance(listed, list) else []
    return tuple(f"{item['ip']}:{item.get('port', '?')}" for item in fields if item.get("ip"))

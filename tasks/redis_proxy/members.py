"""The entry hosts as they are now: what HAProxy, the watcher, every Sentinel and a real write answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.content import Template
from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.files import File
from keybuzz.model.services.haproxy import addresses_up, information
from tasks.redis_proxy.desired import REPLICATION
from tasks.redis_proxy.values import BACKEND, CONFIGURATION, HAPROXY, REDIS_PORT, UNIT

CONTAINER = f"container:{HAPROXY}"
WATCHER_UNIT = f"systemd-unit:{UNIT}"
CFG = f"file:{CONFIGURATION}/haproxy.cfg"
_MARK = "    description "


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the watcher wrote down last."""

    age: int | None
    """Seconds since its last success, by the host's own clock; None when it had none or says nothing."""
    master: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """One entry host."""

    host: str
    started: bool
    """Its container runs."""
    answers: bool
    """HAProxy answers on its runtime socket, and a process listens on the port."""
    routes: tuple[str, ...] | None
    """Addresses that get sessions; None when HAProxy does not say."""
    named: tuple[tuple[str, str], ...]
    """Each Sentinel's host, and the master that it names; empty for one that says nothing."""
    mark: str
    described_mark: str
    listeners: tuple[str, ...] | Unread
    clients: int | None
    heartbeat: Heartbeat
    watches: bool
    """Its unit is not stopped, by systemd's word."""
    master: Way
    balancers: tuple[tuple[str, Way], ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What proves that an address leads to the master."""

    written: bool
    """A probe was written through it; without one, the node's own word has to do."""
    answered: bool
    wrong: str
    """Why it does not; empty when it does."""


def proxies(live: Live) -> dict[str, Proxy]:
    """Return the reachable hosts by name."""
    return {host: _proxy(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that take sessions now, whatever state Redis is in.

    One that older scripts built has no runtime socket, and says by where it leads that it does.
    """
    found = proxies(live).items()
    return frozenset(host for host, one in found if one.answers or not one.master.wrong)


def virgin(live: Live) -> bool:
    """Return whether every host that the run would change is bare of this module (FRZ-1).

    A host that was lost and is new may be installed beside one that serves; there is no data that it could contradict.
    """
    touched = {change.host for change in live.changes()}
    return not any(
        live.hosts[host].present(identity)
        for host in touched
        for identity in (CONTAINER, CFG, WATCHER_UNIT)
    )


def wrong(answer: Answer) -> str:
    """Return why what answered, to a write or to the question for its role, is not the master; empty when it is."""
    if not answer.known:
        return answer.problem
    reason, role = _heard(answer.value)
    if reason:
        return reason
    return "" if role == "master" else f"it leads to a node that says role:{role or '?'}"


def _heard(value: Mapping[str, Any]) -> tuple[str, str]:
    """Return why the node did not do what it was asked, and what it says it is."""
    if "replies" not in value:
        refused = str(value["reason"] or "it was refused without a reason")
        return "" if value["accepted"] else refused, str(value["role"])
    found = value["replies"].get(" ".join(REPLICATION), {})
    return str(value["denied"] or found.get("error", "")), str(found.get("role", ""))


def _way(view: HostView, name: str) -> Way:
    written = view.answers.get(f"{name}:write")
    answer = written or view.answer(f"{name}:role")
    return Way(written is not None, answer.known, wrong(answer))


def _proxy(host: str, view: HostView) -> Proxy:
    ports = view.answer("redis-proxy.ports")
    listeners = tuple(ports.value["listeners"]) if ports.known else Unread(ports.problem)
    info, stat = view.answer("redis-proxy.info"), view.answer("redis-proxy.stat")
    known = information(info.value["text"]) if info.known else {}
    return Proxy(
        host=host,
        started=view.attribute(CONTAINER, "running") is True,
        answers=bool(known) and not isinstance(listeners, Unread) and bool(listeners),
        routes=addresses_up(stat.value["text"], BACKEND) if stat.known else None,
        named=tuple(
            (name.removeprefix("redis-proxy.named-by."), _named(answer))
            for name, answer in view.answers.items()
            if name.startswith("redis-proxy.named-by.")
        ),
        mark=known.get("description", ""),
        described_mark=_described_mark(view),
        listeners=listeners,
        clients=ports.value["connections"].get(str(REDIS_PORT)) if ports.known else None,
        heartbeat=_heartbeat(view),
        watches=view.attribute(WATCHER_UNIT, "state") not in ("inactive", "failed"),
        master=_way(view, "redis-proxy.session"),
        balancers=tuple(
            (name.removeprefix("redis-proxy.balancer."), _way(view, name))
            for name in dict.fromkeys(name.rpartition(":")[0] for name in view.answers)
            if name.startswith("redis-proxy.balancer.")
        ),
    )


def _named(answer: Answer) -> str:
    replies: dict[str, Any] = answer.value["replies"] if answer.known else {}
    for found in replies.values():
        if isinstance(found, dict) and "ip" in found and "port" in found:
            return f"{found['ip']}:{found['port']}"
    return ""


def _heartbeat(view: HostView) -> Heartbeat:
    text, clock = view.answer("redis-proxy.heartbeat"), view.answer("redis-proxy.clock")
    if not text.known:
        return Heartbeat(None, "", text.problem)
    try:
        beat = json.loads(text.value["text"])
        success = int(beat["success"])
        age = int(clock.value["stdout"]) - success if clock.known and success else None
        return Heartbeat(age, str(beat["master"]), str(beat["trouble"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Heartbeat(None, "", "its heartbeat cannot be read")


def _described_mark(view: HostView) -> str:
    """Return the mark in the described haproxy.cfg."""
    for resource in view.resources:
        if isinstance(resource, File) and resource.identity == CFG:
            if isinstance(resource.content, Template):
                return ""
            for line in resource.text.masked().splitlines():
                if line.startswith(_MARK):
                    return line.removeprefix(_MARK).strip()
    return ""

"""The entry hosts as they are now: what HAProxy, PgBouncer, Patroni and a real login answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.content import Template
from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.files import File
from keybuzz.model.services.haproxy import information, servers_up
from tasks.postgres_proxy.values import (
    BACKEND,
    HAPROXY,
    PGBOUNCER,
    POOL_PORT,
    POSTGRES_PORT,
)

PORTS = (POSTGRES_PORT, POOL_PORT)
CONTAINERS = (f"container:{HAPROXY}", f"container:{PGBOUNCER}")
_NO, _OFF = "f", "off"
"""How PostgreSQL says a boolean, and a setting."""
_MARK = "    description "


@dataclass(frozen=True, slots=True)
class Session:
    """What a real login through one port came to, and where it led."""

    works: bool
    answered: bool
    """False when nothing was there, or it hung up: then nothing is known about what is behind."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One entry host."""

    host: str
    started: bool
    """Both of its containers run."""
    answers: bool
    """HAProxy answers on its runtime socket, and a process listens on both ports."""
    servers_up: tuple[str, ...] | None
    """Members that HAProxy sends sessions to; None when it does not say."""
    primaries: tuple[str, ...]
    """Members that say to this host that they are the primary."""
    silent: tuple[str, ...]
    """Members that say nothing to this host."""
    mark: str
    """Of the configuration that HAProxy runs with; empty when it does not say."""
    described_mark: str
    listeners: tuple[str, ...] | Unread
    clients: int | None
    pooled: int | None
    sessions: tuple[tuple[int, Session], ...]
    balancers: tuple[tuple[str, Session], ...]
    """Logins through the load balancers' addresses."""

    @property
    def works(self) -> bool:
        """Return whether the application works through both ports, also through an old entry."""
        return all(session.works for _, session in self.sessions)


def proxies(live: Live) -> dict[str, Proxy]:
    """Return the reachable hosts by name."""
    return {host: _proxy(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that take sessions now, whatever state PostgreSQL is in."""
    return frozenset(host for host, one in proxies(live).items() if one.answers or one.works)


def ours(live: Live) -> frozenset[str]:
    """Return those of them whose HAProxy says what it does: one that older scripts built has no runtime socket."""
    return frozenset(host for host, proxy in proxies(live).items() if proxy.answers)


def _proxy(host: str, view: HostView) -> Proxy:
    ports = view.answer("postgres-proxy.ports")
    listeners = tuple(ports.value["listeners"]) if ports.known else Unread(ports.problem)
    open_now = () if isinstance(listeners, Unread) else listeners
    connections = ports.value["connections"] if ports.known else {}
    info = _info(view)
    heard = {port for port in PORTS for item in open_now if item.endswith(f":{port}")}
    primary = {
        name: view.answers[name]
        for name in view.answers
        if name.startswith("postgres-proxy.primary.")
    }
    return Proxy(
        host=host,
        started=all(view.attribute(item, "running") is True for item in CONTAINERS),
        answers=bool(info) and heard == set(PORTS),
        servers_up=_servers_up(view),
        primaries=tuple(
            name.removeprefix("postgres-proxy.primary.")
            for name, answer in primary.items()
            if answer.known and answer.value["status"] == 200
        ),
        silent=tuple(
            name.removeprefix("postgres-proxy.primary.")
            for name, answer in primary.items()
            if not answer.known
        ),
        mark=info.get("description", ""),
        described_mark=_described_mark(view),
        listeners=listeners,
        clients=connections.get(str(POSTGRES_PORT)),
        pooled=connections.get(str(POOL_PORT)),
        sessions=tuple(
            (port, session_of(view.answer(f"postgres-proxy.login.{port}"))) for port in PORTS
        ),
        balancers=tuple(
            (name.removeprefix("postgres-proxy.balancer."), session_of(view.answer(name)))
            for name in view.answers
            if name.startswith("postgres-proxy.balancer.")
        ),
    )


def session_of(answer: Answer) -> Session:
    """Return what the answer to a login comes to."""
    if not answer.known:
        return Session(False, False, answer.problem)
    if not answer.value["accepted"]:
        return Session(False, True, answer.value["reason"])
    row = answer.value.get("row", [])
    if row[:1] != [_NO]:
        return Session(False, True, "it leads to a replica")
    if row[1:] != [_OFF]:
        return Session(False, True, "it leads to a server that takes no writes")
    return Session(True, True)


def _info(view: HostView) -> dict[str, str]:
    answer = view.answer("postgres-proxy.haproxy.info")
    return information(answer.value["text"]) if answer.known else {}


def _servers_up(view: HostView) -> tuple[str, ...] | None:
    answer = view.answer("postgres-proxy.haproxy.stat")
    return servers_up(answer.value["text"], BACKEND) if answer.known else None


def _described_mark(view: HostView) -> str:
    """Return the mark in the described haproxy.cfg."""
    for resource in view.resources:
        if isinstance(resource, File) and resource.path.endswith("/haproxy.cfg"):
            if isinstance(resource.content, Template):
                return ""
            for line in resource.text.masked().splitlines():
                if line.startswith(_MARK):
                    return line.removeprefix(_MARK).strip()
    return ""

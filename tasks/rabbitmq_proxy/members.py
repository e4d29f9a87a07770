"""The entry hosts as they are now: what HAProxy and a real login answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.content import Template
from keybuzz.model.core.finding import Unread
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.files import File
from keybuzz.model.services.haproxy import information, servers_up
from tasks.rabbitmq_proxy import values

CONTAINER = f"container:{values.CONTAINER}"
CFG = f"file:{values.CONFIGURATION}/haproxy.cfg"
_BALANCER = "rabbitmq-proxy.balancer."
_MARK = "    description "


@dataclass(frozen=True, slots=True)
class Proxy:
    """One entry host."""

    host: str
    started: bool
    """Its container runs."""
    listeners: tuple[str, ...] | Unread
    servers_up: tuple[str, ...] | None
    """Nodes that HAProxy sends connections to; None when it does not say."""
    mark: str
    """Of the configuration that HAProxy runs with; empty when it does not say."""
    described_mark: str
    login: Answer
    balancers: tuple[tuple[str, Answer], ...]
    """Logins through the load balancers' addresses."""

    @property
    def answers(self) -> bool:
        """True when HAProxy answers on its socket and a process listens on the port."""
        listens = not isinstance(self.listeners, Unread) and bool(self.listeners)
        return self.servers_up is not None and listens


def proxies(live: Live) -> dict[str, Proxy]:
    """Return the reachable hosts by name."""
    return {host: _proxy(host, view) for host, view in live.hosts.items()}


def up(live: Live) -> frozenset[str]:
    """Return the hosts that take connections now, whatever state RabbitMQ is in."""
    return frozenset(host for host, proxy in proxies(live).items() if proxy.answers)


def virgin(live: Live) -> bool:
    """Return whether every host proves that it has neither the container nor its configuration (FRZ-1)."""
    return len(live.hosts) == len(live.members) and not any(
        view.present(CONTAINER) or view.present(CFG) or view.unread(CFG)
        for view in live.hosts.values()
    )


def refusal(answer: Answer) -> str:
    """Return why a login did not work, or led elsewhere; empty when it is good."""
    if not answer.known:
        return answer.problem
    if not answer.value["accepted"]:
        return str(answer.value["reason"] or "it was refused without a reason")
    cluster = answer.value["cluster"]
    return "" if cluster == values.CLUSTER else f"it leads to the cluster {cluster or 'of no name'}"


def _proxy(host: str, view: HostView) -> Proxy:
    info, stat = view.answer("rabbitmq-proxy.info"), view.answer("rabbitmq-proxy.stat")
    ports = view.answer("rabbitmq-proxy.ports")
    return Proxy(
        host=host,
        started=view.attribute(CONTAINER, "running") is True,
        listeners=tuple(ports.value["listeners"]) if ports.known else Unread(ports.problem),
        servers_up=servers_up(stat.value["text"], values.BACKEND) if stat.known else None,
        mark=information(info.value["text"]).get("description", "") if info.known else "",
        described_mark=_described_mark(view),
        login=view.answer("rabbitmq-proxy.login"),
        balancers=tuple(
            (name.removeprefix(_BALANCER), answer)
            for name, answer in view.answers.items()
            if name.startswith(_BALANCER)
        ),
    )


def _described_mark(view: HostView) -> str:
    for resource in view.resources:
        if isinstance(resource, File) and not isinstance(resource.content, Template):
            lines = resource.text.masked().splitlines()
            found = (line.removeprefix(_MARK) for line in lines if line.startswith(_MARK))
            return next(found, "").strip()
    return ""

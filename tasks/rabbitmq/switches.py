"""What was left on in RabbitMQ, or put into it by hand, that takes clients, copies or protection away. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, Unread, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host
from tasks.rabbitmq.members import Node, maintained, nodes, told
from tasks.rabbitmq.service.resources import RabbitmqMembership

_NAMED = 5


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every switch, and for what is inside the cluster."""
    found = nodes(live)
    resting = maintained(live)
    answering = told(found.values())
    return (
        *(_maintenance(host, host in resting, answering) for host in found),
        _classic(answering),
        _administrators(live, answering),
    )


def _maintenance(host: str, resting: bool, answering: list[Node] | Unread) -> Finding:
    check = "rabbitmq.node.maintenance"
    if isinstance(answering, Unread):
        return unknown(check, answering.why, host)
    if not resting:
        return Finding(check, Level.OK, "takes clients", host)
    text = "is in maintenance mode: it takes no client and leads no queue"
    revive = on_host(host, "docker", "exec", "rabbitmq", "rabbitmq-upgrade", "revive")
    return Finding(check, Level.CRITICAL, text, host, revive)


def _classic(answering: list[Node] | Unread) -> Finding:
    check = "rabbitmq.queues.copies"
    if isinstance(answering, Unread):
        return unknown(check, answering.why)
    names = sorted({name for node in answering for name in node.classic})
    if not names:
        return Finding(check, Level.OK, "no classic queue keeps messages that must last")
    shown = ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    text = f"messages on one node only, in durable classic queues: {shown}"
    hint = "its application declares it with x-queue-type: quorum, under a new name"
    return Finding(check, Level.WARN, text, hint=hint)


def _administrators(live: Live, answering: list[Node] | Unread) -> Finding:
    check = "rabbitmq.administrators.described"
    if isinstance(answering, Unread):
        return unknown(check, answering.why)
    described = {name for view in live.hosts.values() for name in _ours(view)}
    foreign = sorted({name for node in answering for name in node.administrators} - described)
    # The rollout takes guest away, and a check of its own tells of it.
    foreign = [name for name in foreign if name != "guest"] if described else []
    mute = ((node.host, node.users.why) for node in answering if isinstance(node.users, Unread))
    if not foreign and (away := of_hosts(mute)) is not None:
        return unknown(check, away.why)
    if not foreign:
        return Finding(check, Level.OK, "only described administrators")
    text = f"administrators that no file describes: {', '.join(foreign)}"
    host = next(node.host for node in answering if set(node.administrators) & set(foreign))
    untagged = ("docker", "exec", "rabbitmq", "rabbitmqctl", "set_user_tags", foreign[0])
    hint = f"its owner takes it away: {on_host(host, *untagged)} (or delete_user)"
    return Finding(check, Level.CRITICAL, text, hint=hint)


def _ours(view: HostView) -> set[str]:
    return {item.access.user for item in view.resources if isinstance(item, RabbitmqMembership)}

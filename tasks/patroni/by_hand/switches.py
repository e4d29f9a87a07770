"""Settings made by hand that take self-healing, durability or protection away. Pure."""

from __future__ import annotations

import re

from keybuzz.model.core.finding import Finding, Level, Unread, all_unknown, of_hosts, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host, proposed
from tasks.patroni.by_hand import capacity
from tasks.patroni.by_hand import inside as by_hand
from tasks.patroni.members import (
    PatroniMember,
    Postgres,
    cluster_told,
    held_back,
    leaders,
    members,
    paused,
    postgres,
    scheduled,
    silent,
    unasked,
    undescribed,
)
from tasks.patroni.service.resources import BACKUP_SLOT, KEPT_FOR_BACKUPS, PatroniSettings, Role

_CONFIGURATION = "/etc/patroni/patroni.yml"
_OF_EACH = (
    "patroni.server.answers",
    "patroni.settings.by-hand",
    "patroni.replay.paused",
    "patroni.hba.open",
    capacity.SESSIONS,
)
_OF_ALL = (
    "patroni.slots.inactive",
    "patroni.superusers.described",
    "patroni.settings.of-roles",
    capacity.AGE,
)
"""What each PostgreSQL is asked, and what the one that takes writes is asked for all."""
_RETAINED = 16 << 30
"""Bytes of WAL that an inactive slot may keep before it is critical: it goes on until the disk is full.

Not so kbz's own slot of the backups: PostgreSQL gives it up at `backup.slot_keeps`.
"""
_DANGEROUS = re.compile(r"(?:synchronous_mode\w*|standby_cluster[.\w]*) = (?!false)")
"""Settings of Patroni's store that stop writes, or the cluster from leading at all."""


def checks(live: Live) -> tuple[Finding, ...]:
    """Return a finding for every switch, off ones too."""
    return (
        _paused(live),
        _scheduled(live),
        _writers(live),
        _undescribed(live),
        *(_tags(live.hosts[host], member) for host, member in members(live).items()),
        *(finding for host, view in live.hosts.items() for finding in _server(live, host, view)),
    )


def _paused(live: Live) -> Finding:
    check = "patroni.paused"
    if not paused(live):
        # It is in the store, which each member reads: one that answers is enough.
        away = unasked(live)
        if away is not None and not any(member.answers for member in members(live).values()):
            return unknown(check, away.why)
        return Finding(check, Level.OK, "failover is on")
    host = next(host for host, member in members(live).items() if member.paused)
    text = "maintenance mode is on: no member takes over when the leader is lost"
    resume = on_host(
        host, "docker", "exec", "patroni", "patronictl", "-c", _CONFIGURATION, "resume"
    )
    return Finding(check, Level.CRITICAL, text, hint=resume)


def _scheduled(live: Live) -> Finding:
    check = "patroni.switchover.scheduled"
    if planned := scheduled(live):
        host = next(iter(live.hosts))
        words = ("docker", "exec", "patroni", "patronictl", "-c", _CONFIGURATION, "flush")
        name = next((m.scope for m in members(live).values() if m.scope), "CLUSTER")
        hint = on_host(host, *words, name, "switchover", "--force")
        return Finding(check, Level.WARN, f"a switchover will begin: {planned}", hint=hint)
    if not any(cluster_told(view) for view in live.hosts.values()):
        problems = [view.answer("patroni.cluster").problem for view in live.hosts.values()]
        return unknown(check, next(filter(None, problems), "no member tells of the cluster"))
    return Finding(check, Level.OK, "none waits")


def _writers(live: Live) -> Finding:
    """Two that take writes are seen by asking each PostgreSQL itself: its Patroni may hang."""
    check, leading = "patroni.writer.single", leaders(live)
    servers = {host: postgres(view) for host, view in live.hosts.items()}
    found = [host for host, one in servers.items() if isinstance(one, Postgres) and one.writes]
    if len(found) > 1:
        others = [host for host in found if host not in leading]
        text = f"{' and '.join(found)} take writes: what the one without the lead takes is lost"
        hint = on_host(others[0], "docker", "stop", "patroni") if others else ""
        return Finding(check, Level.CRITICAL, text, hint=hint)
    away = of_hosts((host, one.why) for host, one in servers.items() if isinstance(one, Unread))
    if away is not None:
        return unknown(check, away.why)
    return Finding(check, Level.OK, f"{found[0]} takes writes" if found else "none takes writes")


def _undescribed(live: Live) -> Finding:
    check = "patroni.settings.undescribed"
    described = frozenset(
        path
        for view in live.hosts.values()
        for item in view.resources
        if isinstance(item, PatroniSettings)
        for path, _ in item.settings
    )
    found = undescribed(live, described and described | KEPT_FOR_BACKUPS)
    if isinstance(found, Unread):
        return unknown(check, found.why)
    if not found or not described:
        return Finding(check, Level.OK, "Patroni's store holds what is described")
    pending = any(member.pending_restart for member in members(live).values())
    worst = pending or any(_DANGEROUS.match(item) for item in found)
    text = f"Patroni's store holds what no file describes: {', '.join(found[:8])}"
    text += "; a restart would put it into effect" if pending else ""
    host = next(iter(live.hosts))
    edit = on_host(
        host, "docker", "exec", "-it", "patroni", "patronictl", "-c", _CONFIGURATION, "edit-config"
    )
    return Finding(
        check, Level.CRITICAL if worst else Level.WARN, text, hint=f"{edit} takes it away"
    )


def _tags(view: HostView, member: PatroniMember) -> Finding:
    check = "patroni.member.tags"
    if why := silent(view):
        return unknown(check, why, member.host)
    on = {
        name: value for name, value in member.tags.items() if value or name == "failover_priority"
    }
    if not on:
        return Finding(check, Level.OK, "may lead, and serves readers", member.host)
    text = ", ".join(f"{name}: {value}" for name, value in sorted(on.items()))
    never = " (it never takes over)" if held_back(member) else ""
    level = Level.CRITICAL if held_back(member) else Level.WARN
    hint = proposed("kbz", "run", "patroni", "--limit", member.host)
    return Finding(check, level, f"tagged {text}{never}", member.host, hint)


def _server(live: Live, host: str, view: HostView) -> tuple[Finding, ...]:
    """Judge what each server has for itself, and on the one that takes writes what all have."""
    server = postgres(view)
    if isinstance(server, Unread):
        leads = host in leaders(live) or not _writer_read(live)
        checks = (*_OF_EACH, *_OF_ALL) if leads else _OF_EACH
        named = [
            finding
            for finding in (by_hand.unprotected(server, host), by_hand.hung(view, host))
            if finding is not None
        ]
        told = tuple(check for check in checks if check not in {item.check for item in named})
        return (*all_unknown(told, server.why, host), *named)
    found = [_live_settings(server.settings, host), *by_hand.checks(server, host)]
    found += capacity.checks(server, host)
    if server.writes:
        found += [_slots(live, server.slots, host), _superusers(view, server.superusers, host)]
        found += [by_hand.of_roles(server, view, host)]
    return tuple(found)


def _writer_read(live: Live) -> bool:
    """Return whether any server said of itself that it takes writes."""
    read = (postgres(view) for view in live.hosts.values())
    return any(isinstance(server, Postgres) and server.writes for server in read)


def _live_settings(settings: str, host: str) -> Finding:
    check = "patroni.settings.by-hand"
    if not settings:
        return Finding(check, Level.OK, "no setting of ALTER SYSTEM", host)
    text = f"postgresql.auto.conf overrides what is described: {settings[:300]}"
    hint = "ALTER SYSTEM RESET the setting, then SELECT pg_reload_conf()"
    return Finding(check, Level.CRITICAL, text, host, hint)


def _slots(live: Live, slots: str, host: str) -> Finding:
    check = "patroni.slots.inactive"
    own = {re.sub(r"[^a-z0-9_]", "_", server.name.lower()) for server in live.members}
    kept = dict(item.rpartition("=")[::2] for item in slots.split(", ") if "=" in item)
    foreign = {name: int(size) for name, size in kept.items() if name not in own and _number(size)}
    if not foreign:
        return Finding(check, Level.OK, "no slot without a reader", host)
    text = ", ".join(f"{name} keeps {size >> 20} MiB of WAL" for name, size in foreign.items())
    others = [size for name, size in foreign.items() if name != BACKUP_SLOT]
    level = Level.CRITICAL if max(others, default=0) >= _RETAINED else Level.WARN
    drop = ("when its reader is gone: SELECT pg_drop_replication_slot(…) on the leader",)
    keep = (f"never drop {BACKUP_SLOT}: {proposed('kbz', 'health', 'backup')} says why it waits",)
    hint = "; ".join((*drop * bool(others), *keep * (BACKUP_SLOT in foreign)))
    return Finding(check, level, text, host, hint)


def _number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _superusers(view: HostView, superusers: str, host: str) -> Finding:
    check = "patroni.superusers.described"
    described = {item.role for item in view.resources if isinstance(item, Role) and item.superuser}
    foreign = sorted(set(superusers.split(", ")) - described - {""}) if described else []
    if not foreign:
        return Finding(check, Level.OK, "only described superusers", host)
    text = f"superusers that no file describes: {', '.join(foreign)}"
    hint = "its owner takes it away: ALTER ROLE … NOSUPERUSER, or DROP ROLE …"
    return Finding(check, Level.CRITICAL, text, host, hint)

"""Which member restarts next, and what must hold before and after it. Pure."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.engine.look.judging import stopping
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Change
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.restart import ContainerRestart, Reboot, ServiceRestart
from keybuzz.site.module import Module

BACK_TIMEOUT = 600.0
"""Seconds for a group to be whole again after one of its members was restarted."""
KINDS = (ContainerRestart, Reboot, ServiceRestart)
"""The wishes of a restart."""


def left(live: Live) -> dict[str, tuple[Change, ...]]:
    """Return what is still to be restarted, by host."""
    return {
        host: mine
        for host, view in live.hosts.items()
        if (mine := tuple(c for c in view.changes if isinstance(c.resource, KINDS)))
    }


def next_step(
    live: Live,
    clusters: tuple[tuple[Module, Live], ...],
    apart: frozenset[str] = frozenset(),
    first: str = "",
) -> Stage | None:
    """Return the restart of one more member, or the hand-over that it needs first; None when all are done.

    `live` says what is to restart, `clusters` who leads. A member that is apart from its cluster comes first,
    then the host `first`, and one that leads last: what is healthy is not interrupted while another is to be restored.
    """
    waiting = left(live)
    if not waiting:
        return None
    host = min(
        waiting, key=lambda name: (name not in apart, name != first, _leads(clusters, name), name)
    )
    released = _released(clusters, host)
    own = released.get(live.module)
    if own is not None and own.changes:
        return own
    stage = _restart(host, waiting[host])
    # The conductor asks every other module for its release before it interrupts the host.
    return stage if own is None else replace(stage, before=own.after)


def _leads(clusters: tuple[tuple[Module, Live], ...], host: str) -> bool:
    if any(module.writer(live) == host for module, live in clusters):
        return True
    return any(stage.changes for stage in _released(clusters, host).values())


def _released(clusters: tuple[tuple[Module, Live], ...], host: str) -> dict[str, Stage]:
    return {
        module.name: stage
        for module, live in clusters
        if host in live.hosts and (stage := module.release(live, host)) is not None
    }


def _restart(host: str, mine: tuple[Change, ...]) -> Stage:
    what = " and ".join(change.resource.name for change in mine)
    reboot = any(isinstance(change.resource, Reboot) for change in mine)

    def not_back(now: Live) -> str | None:
        if host not in now.hosts:
            return f"{host} does not answer: {now.unreachable.get(host, 'it was not asked')}"
        return f"{host} has not come back" if host in left(now) else None

    return Stage(
        f"reboot {host}" if reboot else f"restart {what} on {host}",
        mine,
        after=Gate(f"{host} has come back", not_back, BACK_TIMEOUT),
    )


def whole(module: Module, timeout: float, waiting: frozenset[str]) -> Gate:
    """Return the gate that holds when every check of a module is good on every member.

    Args:
        module: Whose checks are asked.
        timeout: Seconds.
        waiting: The hosts that are still to restart.
    """

    cured = {info.id for info in module.check_infos if info.restart}

    def reason(live: Live) -> str | None:
        for finding in stopping(module.checks(live)):
            if finding.check not in cured and not _own(module, finding, waiting):
                where = f"{finding.host}: " if finding.host else ""
                return f"{where}{finding.check}: {finding.message}"
        return None

    return Gate(f"{module.name} is whole", reason, timeout)


def _own(module: Module, finding: Finding, waiting: frozenset[str]) -> bool:
    """Return whether it forbids to interrupt others than its own host, and no other is still to restart."""
    of_others = {info.id for info in module.check_infos if info.of_others}
    return finding.check in of_others and finding.host != "" and waiting <= {finding.host}


def refuse_standing(module: Module, live: Live, waiting: frozenset[str]) -> None:
    """Raise RefusedError for what no waiting ends, with its way out: a gate would wait for it in vain.

    Args:
        module: Whose checks are asked.
        live: Its cluster.
        waiting: The hosts that are still to restart.
    """
    standing = {info.id for info in module.check_infos if info.stands}
    try:
        found = module.checks(live)
    except Exception:  # what cannot be judged now is told by the gate
        return
    for finding in stopping(found):
        if finding.check not in standing or _own(module, finding, waiting):
            continue
        if finding.level is Level.CRITICAL:
            raise RefusedError(
                f"{finding.check}: {finding.message}",
                where=finding.host or module.name,
                hint=finding.hint or proposed("kbz", "explain", finding.check),
            )

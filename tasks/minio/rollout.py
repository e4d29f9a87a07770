"""The next step for MinIO, from its live state. Pure.

A cluster is born once, on three drives that their hosts prove to be empty, and all three start together. Later nothing
here ever formats or empties a drive: a node whose drive is empty starts only beside a majority that has its format, and
gets its place and its data from them. A drive of another deployment stops the run before anything starts.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import Container
from tasks.minio import values
from tasks.minio.identity import refuse_foreign
from tasks.minio.members import entry, nodes, serving
from tasks.minio.ready import no_quorum, not_serving, not_whole
from tasks.minio.service.resources import MinioBucket, MinioUser

START_TIMEOUT = 300.0
"""Seconds: a node waits for the others at its start."""
HEAL_TIMEOUT = 7200.0
"""Seconds: a replaced drive gets everything from the others."""
EVERYBODY = "kbz run minio --limit minio"


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse_foreign(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    containers = [change for change in ready if isinstance(change.resource, Container)]
    inside = tuple(
        change for change in ready if isinstance(change.resource, MinioBucket | MinioUser)
    )
    around = tuple(change for change in ready if change not in containers and change not in inside)
    starting = [change for change in containers if not change.disrupts]
    # Judged first: what is refused leaves no file behind.
    together = _together(live, starting) if starting and not serving(live) else None
    if around:
        return Stage("prepare", around)
    if starting:
        return together or _join(live, starting)
    if unsettled := _settle(live, containers):
        return unsettled
    if containers:
        return _replace(live, containers)
    return Stage("bucket", inside) if inside else None


def _together(live: Live, starting: list[Change]) -> Stage:
    """Start what waits for each other: all three at the birth, later those whose drives belong together."""
    found = nodes(live)
    formatted = [node for node in found.values() if node.formatted]
    if not formatted:
        _require_birth(live)
        everybody = [server.name for server in live.members]
        after = Gate("all three serve", lambda now: not_whole(now, everybody), START_TIMEOUT)
        return Stage("start together", tuple(starting), after=after)
    _require_majority(live)
    chosen = [change for change in starting if found[change.host].formatted]
    return Stage(
        "start together",
        tuple(chosen or starting),
        after=Gate("there is a write quorum", no_quorum, START_TIMEOUT),
    )


def _require_birth(live: Live) -> None:
    """A first start needs all members, in sight and selected: a drive out of sight may hold the data."""
    found = nodes(live)
    if missing := sorted({server.name for server in live.members} - set(found)):
        raise RefusedError(
            f"a first start needs all {len(live.members)} members, and {', '.join(missing)} cannot be read",
            where="minio",
            hint="bring it back: its drive may hold the data of an older cluster",
        )
    left = [host for host, node in found.items() if host not in live.selected and not node.running]
    if left:
        raise RefusedError(
            f"a first start needs all members, and --limit leaves out {', '.join(left)}",
            where="minio",
            hint=EVERYBODY,
        )


def _require_majority(live: Live) -> None:
    """What is there must be able to begin; a majority of empty drives beside one with data is a loss, and no birth."""
    found = nodes(live)
    formatted = [host for host, node in found.items() if node.formatted]
    if len(formatted) < values.QUORUM:
        missing = sorted({server.name for server in live.members} - set(found))
        empty = [host for host, node in found.items() if node.empty]
        held = f"{', '.join(formatted)} alone has a format.json"
        if missing:
            raise RefusedError(
                f"{held}, and {', '.join(missing)} cannot be read: {values.QUORUM} drives are needed",
                where="minio",
                hint="bring it back first",
            )
        raise RefusedError(
            f"{held}, and the drives of {', '.join(empty)} are empty: what they held is lost or not mounted",
            where="minio",
            hint="mount what belongs there; if it is gone, the owner decides about the rest. kbz formats nothing here",
        )
    able = [host for host in formatted if found[host].running or host in live.selected]
    if len(able) < values.QUORUM:
        left = ", ".join(host for host in formatted if host not in able)
        raise RefusedError(
            f"{values.QUORUM} nodes must start together, and --limit leaves out {left}",
            where="minio",
            hint=EVERYBODY,
        )


def _join(live: Live, starting: list[Change]) -> Stage:
    """Let one node come beside those that serve; one with data before one without."""
    found = nodes(live)
    change = min(starting, key=lambda item: (not found[item.host].formatted, item.host))
    others = [host for host, node in found.items() if node.serves and host != change.host]
    return Stage(
        f"start {change.host}",
        (change,),
        before=Gate(
            f"{' and '.join(others)} serve",
            lambda now: next(filter(None, (not_serving(now, nodes(now)[h]) for h in others)), None),
            START_TIMEOUT,
        ),
        after=Gate(
            f"{change.host} serves, and its drive has everything",
            lambda now: not_whole(now, [*others, change.host]),
            HEAL_TIMEOUT,
        ),
    )


def _replace(live: Live, containers: list[Change]) -> Stage:
    """Replace one running node; the entry last, because while it is away the others are not reached (A10).

    One that does not serve comes before all others, because it has nothing to lose.
    """
    found, last = nodes(live), entry(live)
    change = min(containers, key=lambda c: (found[c.host].serves, c.host == last, c.host))
    host, everybody = change.host, [server.name for server in live.members]
    others = [name for name in everybody if name != host]
    return Stage(
        f"replace {values.CONTAINER} on {host}",
        (change,),
        before=Gate(f"all but {host} serve", lambda now: not_whole(now, others), START_TIMEOUT),
        after=Gate("all three serve", lambda now: not_whole(now, everybody), HEAL_TIMEOUT),
    )


def release(live: Live, host: str) -> Stage | None:
    """Return the wait that a host needs before it is interrupted: the others must have everything."""
    if len(live.hosts) < values.QUORUM or not nodes(live)[host].serves:
        return None
    others = [name for name in live.hosts if name != host]
    gate = Gate(f"MinIO can do without {host}", lambda now: not_whole(now, others), START_TIMEOUT)
    return Stage("wait", (), after=gate)


def _settle(live: Live, containers: list[Change]) -> Stage | None:
    """Wait for nodes on their way: a run that was cut off, a drive that heals, or Docker that has just come back."""
    waiting = {change.host for change in containers}
    running = [h for h, node in nodes(live).items() if node.running and h not in waiting]
    if not live.selected & set(running) or not_whole(live, running) is None:
        return None
    gate = Gate("the cluster has settled", lambda now: not_whole(now, running), HEAL_TIMEOUT)
    return Stage("wait", (), after=gate)

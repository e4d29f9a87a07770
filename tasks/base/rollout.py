"""The next step for base OS settings, from the live state. Pure.

What interrupts nothing goes to all hosts at once. A restart of Docker interrupts every container of a host: it goes one
host at a time, and the engine's guard counts the quorum of each cluster of which the host is a member (facts/02).
Where a member is to be replaced on the host too, the restart is part of that step.
"""

from __future__ import annotations

from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import DockerDaemon
from tasks.base.docker import KEY, SOURCE
from tasks.base.refusals import refuse

_DOCKER_TIMEOUT = 120.0
_SOURCES = ("directory:/etc/apt/keyrings", f"artefact:{KEY}", f"file:{SOURCE}")


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    refuse(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    sources = [change for change in ready if change.identity in _SOURCES]
    if sources:
        return Stage("package sources", tuple(sources))
    packages = [c for c in ready if c.resource.kind == "package" and not c.disrupts]
    if packages:
        return Stage("packages", tuple(packages))
    gentle = [change for change in ready if not change.disrupts and not change.resource.guarded]
    if gentle:
        return Stage("settings", tuple(gentle))
    guarded = [change for change in ready if change.resource.guarded]
    if guarded:
        # One dangerous kind at a time: each is confirmed over a new connection before the next.
        first = guarded[0].resource.kind
        same = [change for change in guarded if change.resource.kind == first]
        return Stage(f"{first}, with undo armed", tuple(same))
    if ready:
        return _one_host(live, ready)
    return None


def _one_host(now: Live, ready: list[Change]) -> Stage:
    host = ready[0].host
    mine = tuple(change for change in ready if change.host == host)

    def containers_back(live: Live) -> str | None:
        view = live.hosts.get(host)
        if view is None:
            return f"{host} does not answer"
        running = view.attribute("docker-daemon:docker", "running")
        return None if running else f"Docker does not run on {host}"

    return Stage(
        f"restart Docker on {host}",
        mine,
        after=Gate("Docker is back", containers_back, _DOCKER_TIMEOUT),
        joins=all(_keeps_images(now, change) for change in mine),
    )


def _keeps_images(live: Live, change: Change) -> bool:
    """Return whether images that a later module has prepared are there after the restart, and its engine the same."""
    differing = {item.attribute for item in change.differences}
    root = live.hosts[change.host].attribute(change.identity, "root")
    same_store = not root and "storage_driver" not in differing
    return isinstance(change.resource, DockerDaemon) and same_store

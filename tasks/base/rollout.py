"""The next step for base OS settings, from the live state. Pure.

What interrupts nothing goes to all hosts at once. A restart of Docker interrupts every container of a host: it goes one
host at a time, and the engine's guard counts the quorum of each cluster that the host carries (facts/02).
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.system import OperatingSystem

_DOCKER_TIMEOUT = 120.0


def next_stage(live: Live) -> Stage | None:
    """Return the next stage, or None when nothing is left to do."""
    _refuse_other_system(live)
    ready = [change for change in live.changes() if change.action is not Action.LATER]
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
        return _one_host(ready)
    return None


def _one_host(ready: list[Change]) -> Stage:
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
    )


def _refuse_other_system(live: Live) -> None:
    for change in live.changes():
        if not isinstance(change.resource, OperatingSystem):
            continue
        if change.action is Action.LATER:
            raise RefusedError(
                f"the system can not be told: {change.reason}",
                where=change.host,
                hint="look at /etc/os-release there",
            )
        release = change.differences[0]
        raise RefusedError(
            f"the system is {release.observed}; site.yaml says {release.wanted}",
            where=change.host,
            hint="reinstall the server, or change base.operating_system",
        )

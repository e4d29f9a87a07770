"""What stands in the way on the hosts: they do not answer, a rollout would refuse, or the ground is not good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from keybuzz.engine.adopt.adopt import closes
from keybuzz.engine.look.survey import Survey
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import proposed
from keybuzz.model.reports.preflight import CONTROLLER, Obstacle
from keybuzz.site.module import Module
from keybuzz.site.site import Site


def of_hosts(found: Survey, site: Site, lives: dict[str, Live]) -> Iterator[Obstacle]:
    """Yield every obstacle of the hosts that were asked, one for each host."""
    for host in sorted(found.selected & set(found.snapshot.unreachable)):
        reason = found.snapshot.unreachable[host]
        what, _, todo = reason.partition(" → ")
        yield Obstacle((host,), "SSH", what, todo or "log in by hand: ssh from this machine")
    ground = {check: module for module in found.modules for check in module.preflight}
    for finding in found.findings:
        bad = finding.level > Level.OK and finding.check in ground
        if bad and finding.host in found.selected - set(found.snapshot.unreachable):
            todo = finding.hint or proposed("kbz", "explain", finding.check)
            stops = finding.level is Level.CRITICAL
            yield Obstacle((finding.host,), finding.check, finding.message, todo, stops)
    for module in found.modules:
        yield from _of_site(module, site)
        refused = tuple(_refusals(module, lives[module.name], found.selected))
        yield from refused
        told = {host for obstacle in refused for host in obstacle.where}
        yield from _closing(lives[module.name], found.selected - told)


def _closing(live: Live, hosts: frozenset[str]) -> Iterator[Obstacle]:
    """Yield which ports of services the firewall closes to the public on these hosts, and who is connected to them."""
    for change in live.changes():
        if change.host in hosts and closes(change):
            *what, todo = change.effects
            yield Obstacle((change.host,), "firewall", "; ".join(what), todo, stops=False)


def _of_site(module: Module, site: Site) -> Iterator[Obstacle]:
    """Yield the site's values that a run refuses."""
    try:
        module.require(site)
    except RefusedError as refused:
        yield Obstacle((CONTROLLER,), refused.where, refused.what, refused.hint)


def _refusals(module: Module, live: Live, selected: frozenset[str]) -> Iterator[Obstacle]:
    """Yield what the module's own rollout refuses now; of each host by itself, as a run would name only the first."""
    whole = _refused(module, live)
    if whole is None:
        return
    found: list[Obstacle] = []
    for host in sorted(set(live.hosts) & selected):
        alone = {
            name: view if name == host else replace(view, changes=())
            for name, view in live.hosts.items()
        }
        refused = _refused(module, replace(live, hosts=alone))
        if refused is not None and refused.where == host:
            found.append(Obstacle((host,), module.name, refused.what, refused.hint))
    if not found:
        where = (whole.where,) if whole.where in live.hosts else tuple(sorted(live.hosts))
        found.append(Obstacle(where, module.name, whole.what, whole.hint))
    yield from found


def _refused(module: Module, live: Live) -> RefusedError | None:
    """Return why a rollout would not begin; what cannot be judged is a finding, and no obstacle of its own."""
    try:
        module.next_stage(live)
    except RefusedError as refused:
        return refused
    except Exception:
        return None
    return None

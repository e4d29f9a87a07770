"""A module with one container on each of three hosts, whose image can be upgraded."""

from __future__ import annotations

import os
from pathlib import Path

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.upgrades import Move, Upgrades
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

LEADER = os.environ.get("KBZ_UPGRADE_LEADER", "")
_RUNS = "container:app"
_SETTING = Path("setting")
"""A file of the site, in the folder where the command is given."""
FOREIGN = "demo/app:1.3.9"
"""An image whose format the module refuses."""


def describe(site: Site, server: Server) -> Description:
    """Return the image and the container."""
    del server
    reference = site.pinned(site.versions["app"])
    setting = (("SETTING", _SETTING.read_text()),) if _SETTING.exists() else ()
    return Description((Image(reference), Container("app", reference, environment=setting)))


def up(live: Live) -> frozenset[str]:
    """Return the hosts on which it runs."""
    return frozenset(h for h, v in live.hosts.items() if v.attribute(_RUNS, "running") is True)


def next_stage(live: Live) -> Stage | None:
    """Bring one host, one that is down first and the leader last; go on when it runs."""
    if any(c.resource.name == FOREIGN for c in live.changes()):
        raise RefusedError(f"{FOREIGN} does not read the data here")
    running = up(live)
    order = sorted(live.hosts, key=lambda host: (host in running, host == LEADER, host))
    for host in order:
        if live.hosts[host].changes:
            return Stage(f"bring {host}", live.hosts[host].changes, after=_runs_again(host))
    return None


def _runs_again(host: str) -> Gate:
    def reason(live: Live) -> str | None:
        return None if host in up(live) else f"{host} does not run"

    return Gate(f"{host} runs", reason, 3.0)


def checks(live: Live) -> tuple[Finding, ...]:
    """Return whether it runs, for each host."""
    running = up(live)
    return tuple(
        Finding("app.runs", Level.OK, "runs", host)
        if host in running
        else Finding("app.runs", Level.CRITICAL, "does not run", host, "look at it")
        for host in live.hosts
    )


MODULE = Module(
    name="app",
    number=1,
    title="For tests",
    group="patroni",
    requires=(),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    members_up=up,
    upgrades=(
        Upgrades(
            "app",
            "its own release notes",
            moves=(
                Move((1, 2), (1, 3), "the page about 1.3"),
                Move((1, 2), (1, 4), "the page about 1.4", "data of 1.4 is not for 1.2"),
                Move((1, 3), (2, 0), "the page about 2.0", "data of 2.0 is not for 1.3"),
            ),
            closed="one series after the other",
            keeps_data=False,
        ),
    ),
)

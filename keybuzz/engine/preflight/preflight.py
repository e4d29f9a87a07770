"""`kbz preflight`: everything that the first run would meet, looked at once. It changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.observe import View
from keybuzz.engine.look.survey import survey
from keybuzz.engine.preflight.controller import of_controller
from keybuzz.engine.preflight.ground import of_ground
from keybuzz.engine.preflight.hosts import of_hosts
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.preflight import Obstacle, Preflight, together
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.module import Module
from keybuzz.site.site import Site


def described_without(site: Site) -> Site:
    """Return the site with something in place of each missing credential, so that its hosts can be described."""
    filled = {
        item.name: Secret(item.name, item.default or f"missing-{item.name.lower()}")
        for item in _schema(site)
        if item.name not in site.credentials
    }
    return replace(site, credentials={**filled, **site.credentials})


def preflight(
    workspace: Workspace,
    true_site: Site,
    modules: tuple[Module, ...],
    selected: frozenset[str],
    more: Iterable[Obstacle] = (),
) -> Preflight:
    """Look at the hosts and at this machine. `true_site` has the credentials that there are, and no other."""
    started = time.monotonic()
    present = selected - workspace.absent
    programs = _programs(true_site, modules)
    obstacles = [*of_controller(true_site, _schema(true_site), present, programs), *more]
    unpinned = {item.where[0] for item in obstacles if item.about == "host key"}
    silent = 0
    if present:
        found = survey(workspace, modules, present)
        view = View(found.descriptions, found.snapshot, present, workspace.site.digest_key)
        lives = {module.name: view.live(module, workspace.site) for module in found.modules}
        # Without a pinned key nothing else can be said of a host: the cause is told once.
        obstacles += (
            o
            for o in of_hosts(found, workspace.site, lives)
            if o.about != "SSH" or o.where[0] not in unpinned
        )
        obstacles += of_ground(workspace.nornir, workspace.site, found.modules, lives)
        silent = len(present & set(found.snapshot.unreachable))
    return Preflight(
        together(obstacles),
        len(present),
        len(present) - silent,
        time.monotonic() - started,
        tuple(sorted(selected & workspace.absent)),
    )


def _programs(site: Site, modules: tuple[Module, ...]) -> frozenset[str]:
    """Return the binaries of versions.yaml without those that only other modules place."""
    chosen = {module.name for module in modules}
    others = {
        parameter.name
        for module in all_modules()
        if module.name not in chosen
        for parameter in module.parameters
    }
    return frozenset(name for name in site.binaries if f"{name}.artefacts" not in others)


def _schema(site: Site) -> tuple[Credential, ...]:
    return tuple(schema_with(site.applications))

"""From the words of a command to a request: what is meant, and whether that much may be meant at once."""

from __future__ import annotations

from pathlib import Path

from keybuzz.engine.catalogue import choose, named_only
from keybuzz.engine.run import RunRequest
from keybuzz.engine.saved_plan import load
from keybuzz.engine.workspace import Workspace
from keybuzz.model.errors import RefusedError, UsageError


def from_names(
    workspace: Workspace,
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    everything: bool,
    wait: float,
    timeout: float,
) -> RunRequest:
    """Return the request for named modules; more than one cluster without --limit needs --all."""
    selected = workspace.select(named_only(modules), limit)
    clusters = workspace.lease_names(selected)
    if not limit and not everything and len(clusters) > 1:
        raise RefusedError(
            f"this would change {len(selected)} hosts in {len(clusters)} clusters at once",
            hint="give --limit TERMS, or --all if all of them are meant",
        )
    return RunRequest(choose(modules), selected, wait, timeout)


def from_plan(
    workspace: Workspace,
    path: Path,
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    wait: float,
    timeout: float,
) -> RunRequest:
    """Return the request for a saved plan: it names its modules and hosts itself."""
    if modules or limit:
        raise UsageError("a saved plan names its modules and hosts itself", hint="give only --plan")
    saved = load(path)
    known = frozenset(server.name for server in workspace.site.servers)
    if unknown := sorted(saved.hosts - known):
        raise RefusedError(f"{', '.join(unknown)} are not in servers.tsv any more", where=str(path))
    return RunRequest(choose(saved.modules), saved.hosts, wait, timeout, saved)

"""From the words of a command to a request: what is meant, and whether that much may be meant at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.catalogue import choose, named_only
from keybuzz.engine.change.freeze import lift
from keybuzz.engine.change.run import RunRequest
from keybuzz.engine.change.saved_plan import load
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed after `kbz run`."""

    modules: tuple[str, ...]
    limit: tuple[str, ...]
    everything: bool
    wait: float
    timeout: float
    lifted: tuple[str, ...]
    reason: str


def from_names(workspace: Workspace, words: Words) -> RunRequest:
    """Return the request for named modules; more than one cluster without --limit needs --all."""
    chain = choose(words.modules)
    selected = workspace.select(named_only(words.modules), words.limit)
    require_meant(workspace, selected, words.limit, everything=words.everything)
    lifted = lift(words.lifted, words.reason, chain)
    return RunRequest(chain, selected, words.wait, words.timeout, lifted=lifted)


def require_meant(
    workspace: Workspace, selected: frozenset[str], limit: tuple[str, ...], *, everything: bool
) -> None:
    """Raise RefusedError when more than one cluster is selected and nobody said that all of them are meant."""
    clusters = workspace.lease_names(selected)
    if not limit and not everything and len(clusters) > 1:
        raise RefusedError(
            f"this would change {len(selected)} hosts in {len(clusters)} clusters at once",
            hint="give --limit TERMS, or --all if all of them are meant",
        )


def from_plan(workspace: Workspace, path: Path, words: Words) -> RunRequest:
    """Return the request for a saved plan: it names its modules and hosts itself."""
    if words.modules or words.limit:
        raise UsageError("a saved plan names its modules and hosts itself", hint="give only --plan")
    saved = load(path)
    known = frozenset(server.name for server in workspace.site.servers)
    if unknown := sorted(saved.hosts - known):
        raise RefusedError(f"{', '.join(unknown)} are not in servers.tsv any more", where=str(path))
    chain = choose(saved.modules)
    lifted = lift(words.lifted, words.reason, chain)
    return RunRequest(chain, saved.hosts, words.wait, words.timeout, saved, lifted)

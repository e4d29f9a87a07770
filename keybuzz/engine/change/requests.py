"""From the words of a command to a request: what is meant, and whether that much may be meant at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from keybuzz.engine import events
from keybuzz.engine.catalogue import also, choose, named_only
from keybuzz.engine.chains.side_by_side import side_by_side
from keybuzz.engine.change.conduct import Route, one_after_other
from keybuzz.engine.change.freeze import lift
from keybuzz.engine.change.run import RunRequest
from keybuzz.engine.change.saved_plan import SavedPlan, load
from keybuzz.engine.look.resting import in_maintenance
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.proposed import proposed


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
    since: int = 0
    """Number in the journal of the run to go on with: on its hosts, whatever --limit would select now."""
    pace: Pace = field(default_factory=Pace)
    """How carefully it goes over them."""
    beside: bool = False
    """Modules that share neither host nor gate are taken at the same time."""

    @property
    def route(self) -> Route:
        """How the run goes over its chain; UsageError for words that say two things."""
        if not self.beside:
            return one_after_other
        if self.pace.halts:
            raise UsageError(
                "--side-by-side takes modules at once; --batch, --canary, --pause and --confirm take one host, "
                "or some, after the other",
                hint="leave one of the two out",
            )
        return side_by_side


def from_names(workspace: Workspace, words: Words) -> RunRequest:
    """Return the request for named modules; more than one cluster without --limit needs --all."""
    in_all = also(workspace.site)
    chain = choose(words.modules, in_all)
    if words.since:
        selected = without_resting(workspace, hosts_since(workspace, words.since), ())
    else:
        selected = workspace.select(named_only(words.modules, in_all), words.limit)
        selected = without_resting(workspace, selected, words.limit)
        require_meant(workspace, selected, words.limit, everything=words.everything)
    lifted = lift(words.lifted, words.reason, chain)
    return RunRequest(
        chain,
        selected,
        words.wait,
        words.timeout,
        lifted=lifted,
        since=words.since,
        pace=words.pace,
        route=words.route,
    )


def without_resting(
    workspace: Workspace, selected: frozenset[str], limit: tuple[str, ...]
) -> frozenset[str]:
    """Return the hosts without those in maintenance that --limit does not name; RefusedError when none is left."""
    here = in_maintenance(workspace.site, workspace.clock())
    named = {term.strip() for terms in limit for term in terms.split(",")}
    left_out = sorted(selected & here.keys() - named)
    for host in left_out:
        workspace.listen(events.LeftOut(host, here[host].words))
    if left_out and not selected - set(left_out):
        raise RefusedError(
            f"all that is selected is in maintenance: {', '.join(left_out)}",
            hint=f"{proposed('kbz', 'maintenance', 'off', left_out[0])}, or name it: --limit {left_out[0]}",
        )
    return selected - set(left_out)


def require_awake(workspace: Workspace, hosts: frozenset[str], why: str) -> None:
    """Raise RefusedError where one of these hosts, none of which can be left out, is in maintenance."""
    here = in_maintenance(workspace.site, workspace.clock())
    for host in sorted(hosts & here.keys()):
        raise RefusedError(
            f"it is {here[host].words}, and {why}",
            where=host,
            hint=f"{proposed('kbz', 'maintenance', 'off', host)} first; nothing was changed",
        )


def hosts_since(workspace: Workspace, number: int) -> frozenset[str]:
    """Return the hosts that a run of the journal was for; RefusedError when that is not known, or one is gone."""
    journal = workspace.journal
    scope = journal.scope(number)
    hosts = scope.hosts if scope else frozenset(item.host for item in journal.hosts(number))
    if not hosts:
        raise RefusedError(
            f"the journal does not say which hosts run {number} was for",
            hint="kbz run MODULE --limit TERMS",
        )
    _require_known(workspace, hosts, f"run {number}")
    return hosts


def _require_known(workspace: Workspace, hosts: frozenset[str], where: str) -> None:
    known = frozenset(server.name for server in workspace.site.servers)
    if unknown := sorted(hosts - known):
        raise RefusedError(f"{', '.join(unknown)} are not in servers.tsv any more", where=where)


def require_meant(
    workspace: Workspace, selected: frozenset[str], limit: tuple[str, ...], *, everything: bool
) -> None:
    """Raise RefusedError when more than one cluster is selected and the request does not say that all are meant."""
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
    _require_known(workspace, saved.hosts, str(path))
    if words.since:
        _require_that_plan(workspace, saved, words.since)
    changed = frozenset(host for host, _, _ in saved.wanted)
    require_awake(workspace, changed, f"{path} changes it")
    chain = choose(saved.modules)
    lifted = lift(words.lifted, words.reason, chain)
    return RunRequest(
        chain,
        without_resting(workspace, saved.hosts, ()),
        words.wait,
        words.timeout,
        saved,
        lifted,
        words.since,
        words.pace,
        words.route,
    )


def _require_that_plan(workspace: Workspace, saved: SavedPlan, number: int) -> None:
    """Raise RefusedError when the file is not the plan of that run any more: another one was never begun."""
    scope = workspace.journal.scope(number)
    if scope is None or scope.digest != saved.digest:
        raise RefusedError(
            f"is not the plan that run {number} applied: it was written again since",
            where=str(saved.path),
            hint=f"{proposed('kbz', 'run', '--plan', saved.path)} applies what it says now, or nothing",
        )

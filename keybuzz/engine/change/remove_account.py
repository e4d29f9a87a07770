"""`kbz apps remove-account`: an account that no file describes goes, and nothing else.

1. every host of the module can be asked, and they say that the account is there and described nowhere; 2. the module
is described with the wish that it is not there, and everything else must be as described; 3. a run with that one
stage: the same freeze, writer, guard, proof and journal as `kbz run`. Data is never removed: a role that owns
something is refused by PostgreSQL, and databases, vhosts and buckets are no accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import lift
from keybuzz.engine.change.run import RunRequest, conducted
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.claims import claimed
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import Report
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Description, Inside, Module
from keybuzz.site.site import Site

VERB = "remove-account"


@dataclass(frozen=True, slots=True)
class RemoveWords:
    """What was typed after `kbz apps remove-account`."""

    module: str
    name: str
    wait: float
    """Seconds to wait for another run's lease."""
    timeout: float
    """Seconds for the changes."""
    lifted: tuple[str, ...] = ()
    """The frozen module that this run may change (FRZ-1)."""
    reason: str = ""


def require_module(name: str) -> Module:
    """Return a module that has accounts; UsageError for any other name. Asks no host."""
    known = {item.name: item for item in all_modules() if item.inside and item.inside.removed}
    if name not in known:
        raise UsageError(f"{name} has no accounts that kbz removes", hint=nearest(name, known))
    return known[name]


def remove_account(workspace: Workspace, words: RemoveWords) -> Report:
    """Remove one account that no file describes; RefusedError before anything was changed for any other one."""
    module = require_module(words.module)
    assert module.inside is not None
    selected = frozenset(server.name for server in workspace.site.members(module.group))
    lifted = lift(words.lifted, words.reason, (module,))
    spoken = proposed("kbz", "apps", VERB, words.module, words.name)
    with (
        claimed(workspace, spoken, selected, words.wait),
        in_journal(workspace, VERB, (module,)) as number,
    ):
        asking = replace(module, describe=_asking(module, module.inside))
        _require_undescribed(
            workspace.site, survey(workspace, (asking,), selected), module, words.name
        )
        request = RunRequest(
            (_removing(workspace.site, module, module.inside, words.name),),
            selected,
            timeout=words.timeout,
            lifted=lifted,
        )
        report = replace(conducted(workspace, request), verb=VERB)
        return remember(workspace, number, report)


def _asking(module: Module, inside: Inside) -> Callable[[Site, Server], Description]:
    def describe(site: Site, server: Server) -> Description:
        found = module.describe(site, server)
        return replace(found, readings=(*found.readings, *inside.ask(site, server)))

    return describe


def _removing(site: Site, module: Module, inside: Inside, name: str) -> Module:
    """Return the module with the wish that an account is not there, and with the one stage that brings it about."""
    removed = inside.removed
    assert removed is not None

    def describe(site: Site, server: Server) -> Description:
        found = module.describe(site, server)
        gone = (removed(site, server, name),)
        if inside.each_host:
            return replace(found, resources=(*found.resources, *gone))
        return replace(found, cluster=(*found.cluster, *gone))

    identity = removed(site, site.members(module.group)[0], name).identity
    return replace(module, describe=describe, next_stage=_only(name, identity, module.name))


def _only(name: str, identity: str, module: str) -> Callable[[Live], Stage | None]:
    def next_stage(live: Live) -> Stage | None:
        ready = [change for change in live.changes() if change.action is not Action.LATER]
        for change in ready:
            if change.identity != identity:
                raise RefusedError(
                    f"{change.identity} is not as described; accounts are removed from a converged state",
                    where=change.host,
                    hint=f"{proposed('kbz', 'run', module)} first",
                )
        return Stage(f"remove {one_line(name)}", tuple(ready)) if ready else None

    return next_stage


def _require_undescribed(site: Site, found: Survey, module: Module, name: str) -> None:
    assert module.inside is not None
    for host, reason in sorted(found.snapshot.unreachable.items()):
        raise RefusedError(f"cannot be asked: {reason}", where=host, hint="bring it back first")
    kind = module.inside.account
    names = {thing.partition(":")[2] for thing in _things(site, found, module.inside, kind)}
    if name in names:
        return
    listed = nearest(name, names) if names else "there is none of that kind"
    raise RefusedError(
        f"{kind} {one_line(name)} is not there, or a file describes it; only what no file describes is removed",
        where=module.name,
        hint=f"undescribed: {listed}",
    )


def _things(site: Site, found: Survey, inside: Inside, kind: str) -> Iterator[str]:
    told = False
    for host in sorted(found.snapshot.observations):
        things = inside.undescribed(site, found.snapshot.observations[host].answers)
        told = told or things is not None
        yield from (name for name in things or () if name.startswith(f"{kind}:"))
    if not told:
        raise RefusedError(
            "no member says which accounts there are",
            where=found.modules[0].name,
            hint=proposed("kbz", "health", found.modules[0].name),
        )

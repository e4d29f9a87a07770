"""`kbz adopt`: what runs, where it differs from the description, and what a run would do about it. It only looks.

Everything is judged by the functions that a run asks: the plan, the refusals of the module's rollout, the search for
data elsewhere, live credentials and the freeze. So what is foretold here is what a run does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from keybuzz.engine.adopt.credentials import is_another, require_same
from keybuzz.engine.adopt.ground import require_own_ground
from keybuzz.engine.adopt.interruption import Measured, interruptions, measured
from keybuzz.engine.adopt.stages import coming_with
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.joined import interrupted
from keybuzz.engine.look.observe import View
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, sentence_of
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.files import File
from keybuzz.model.host.system import Firewall
from keybuzz.model.reports.adoption import Adoption, Difference, ModuleAdoption, Refusal, Way
from keybuzz.site.module import Module
from keybuzz.site.site import Site


def adopt(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Adoption:
    """Look at the hosts and say what a run would do. Nothing is written."""
    started = time.monotonic()
    present = workspace.present(selected)
    found = survey(workspace, modules, present)
    site = workspace.site
    view = View(found.descriptions, found.snapshot, present, site.digest_key)
    times = measured(workspace)
    lives = {module.name: view.live(module, site) for module in found.modules}
    judged = tuple(
        _module(workspace, found, module, lives[module.name], times, lives)
        for module in found.modules
    )
    return Adoption(judged, found.snapshot.unreachable, time.monotonic() - started)


def _module(
    workspace: Workspace,
    found: Survey,
    module: Module,
    live: Live,
    times: Measured,
    lives: Mapping[str, Live],
) -> ModuleAdoption:
    changes = tuple(live.changes())
    site = workspace.site
    freeze = Freeze(frozenset(site.policies.freeze), NO_LIFT, first_installs(workspace))
    frozen = bool(changes) and freeze.refuses(module, live)
    return ModuleAdoption(
        module.name,
        tuple(_running(found, module)),
        tuple(_difference(change, frozen) for change in changes),
        tuple(_refusals(workspace, module, live)),
        frozen,
        sum(isinstance(change.resource, File) for change in changes),
        sum(change.disrupts for change in changes),
        interruptions(
            changes,
            module,
            {m.name: m for m in (*all_modules(), *found.modules)}.values(),
            site,
            times,
            coming_with(module, _behind(found.modules, module), lives, freeze, site),
        ),
        entries_first(module, all_modules(), site, lives),
    )


def _behind(modules: tuple[Module, ...], module: Module) -> tuple[Module, ...]:
    """Return the modules that come after one in a run."""
    names = [other.name for other in modules]
    return modules[names.index(module.name) + 1 :]


def entries_first(
    module: Module, every_module: Iterable[Module], site: Site, lives: Mapping[str, Live]
) -> tuple[str, ...]:
    """Return the entries to bring over before a cluster whose leader hands over.

    They are those that differ, and those that were not looked at.
    """
    once = module.restart_cost is not None and module.restart_cost.once
    if not once or module.name not in lives or not interrupted(lives[module.name]):
        return ()
    return tuple(
        other.name
        for other in every_module
        if _leads_to(other, module)
        and site.members(other.group)
        and (other.name not in lives or any(lives[other.name].changes()))
    )


def _leads_to(other: Module, module: Module) -> bool:
    """Return whether a module is an entry to the cluster of another: it comes after it, and shares number or freeze."""
    follows = other.number == module.number and other.step > module.step
    shares = other.frozen_as == module.group and other.name != module.name
    return other.members_up is not None and (follows or shares)


def _running(found: Survey, module: Module) -> Iterator[tuple[str, str]]:
    members = {
        member.host: f"{member.role}, {member.state}"
        for topology in found.topologies
        for member in topology.members
    }
    for host, description in found.descriptions.items():
        if module.topology is not None and module.name in description.modules and host in members:
            yield host, members[host]


def _difference(change: Change, frozen: bool) -> Difference:
    if is_another(change) or closes(change):
        way = Way.DECISION
    elif change.action is Action.LATER:
        way = Way.LATER
    else:
        way = Way.RESTART if change.disrupts else Way.LIVE
    names = tuple(item.attribute for item in change.differences)
    return Difference(change.host, change.identity, way, names, frozen, change.effects)


def closes(change: Change) -> bool:
    """Return whether it is the firewall that closes what is open to the public now, such as an old service's ports."""
    return isinstance(change.resource, Firewall) and bool(change.effects)


def _refusals(workspace: Workspace, module: Module, live: Live) -> Iterator[Refusal]:
    """Yield what a run would refuse, from the functions that it asks; what cannot be judged is one of them."""
    asks: tuple[Callable[[], object], ...] = (
        lambda: module.require(workspace.site),
        lambda: require_same(module, live, workspace.site),
        lambda: require_own_ground(workspace.nornir, module, live),
        lambda: module.next_stage(live),
    )
    for ask in asks:
        try:
            ask()
        except KbzError as error:
            yield Refusal(f"{error.where}: {error.what}" if error.where else error.what, error.hint)
        except Exception as error:
            yield Refusal(f"the state of its hosts cannot be judged: {sentence_of(error)}", "")

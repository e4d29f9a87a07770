"""From the words of `kbz upgrade` to what it would do: every refusal comes from here, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.catalogue import choose
from keybuzz.engine.change.freeze import Lift, lift
from keybuzz.engine.change.requests import require_awake
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.lock import leases
from keybuzz.engine.upgrade import record as records
from keybuzz.engine.upgrade.gates import (
    require_backup,
    require_begins,
    require_converged,
    require_free,
    require_heard,
    require_ready,
)
from keybuzz.engine.upgrade.members import require_its_own, require_way_back
from keybuzz.engine.upgrade.over import over_versions
from keybuzz.engine.upgrade.record import Record
from keybuzz.engine.upgrade.tables import Meant, meant
from keybuzz.engine.upgrade.ways import allowed, between, entries, has_begun, way_back, way_on
from keybuzz.engine.workspace import Workspace
from keybuzz.site.files.problems import read_file
from keybuzz.site.load import LIMIT
from keybuzz.site.module import Module
from keybuzz.site.versions import with_entries


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed after `kbz upgrade`."""

    module: str
    tag: str
    """Empty with `back`."""
    image: str = ""
    back: bool = False
    reason: str = ""
    lifted: tuple[str, ...] = ()
    without_backup: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """An upgrade that may begin, or go on."""

    meant: Meant
    chain: tuple[Module, ...]
    selected: frozenset[str]
    record: Record
    back: bool
    lifted: Lift
    path: Path
    """versions.yaml."""
    before: bytes
    after: bytes
    """Alike when an earlier command has written it already."""
    found: Survey
    """The hosts as they are, against what they are to be."""
    allowed: str
    """What allows the step."""

    @property
    def reference(self) -> str:
        """What the members run at its end."""
        return self.record.former if self.back else self.record.target


def prepare(workspace: Workspace, path: Path, words: Words) -> Prepared:
    """Return what would be done; RefusedError says why it is not, and what is allowed instead."""
    site, content = workspace.site, read_file(path, LIMIT)
    [module] = [one for one in choose((words.module,)) if one.name == words.module]
    descriptions = describe_all(workspace.nornir, choose(("all",), frozenset({module.name})))
    found = meant(site, module, descriptions, words.tag, words.image)
    known = records.read(site.settings.state, found.table.image)
    on = words.tag
    record = way_on(site, found, known, module.name, on) if on else way_back(site, found, known)
    chain = choose(tuple(one.name for one in found.users))
    lifted = lift(words.lifted, words.reason if words.lifted else "", chain)
    selected = workspace.present(workspace.select(found.users, ()))
    with leases(site.settings.state / "leases", workspace.lease_names(selected), workspace.command):
        pass  # another run is told at once, and not after the hosts were asked; what follows takes them again
    require_awake(workspace, selected, "an upgrade takes all members")
    if not words.back and (known is None or not has_begun(site, found, known)):
        now = survey(workspace, chain, selected)
        require_heard(now)
        require_converged(now, found.users)
        require_ready(workspace, found.table, record.former, record.target)
        if not words.without_backup:
            require_backup(workspace, found.table)
    wanted = record.before if words.back else entries(site, found, record, words.reason)
    after = with_entries(content, wanted, str(path))
    would = over_versions(workspace, after, str(path))
    then = survey(would, chain, selected)
    require_heard(then)
    if words.back:
        pairs = between(site, found, record)
        require_its_own(site, found, pairs, then)
        require_way_back(found, record, pairs, then)
    require_free(would, then, found.users, lifted)
    if after != content:
        require_begins(would, then, found.users)
    return Prepared(
        found, chain, selected, record, words.back, lifted, path, content, after, then,
        allowed(found, record, back=words.back),
    )  # fmt: skip


def complete(state: Path, prepared: Prepared) -> None:
    """Keep that it is complete; after a way back there is nothing left to undo."""
    if prepared.back:
        records.forget(state, prepared.record.image)
    else:
        records.write(state, prepared.record.ended())


def names(modules: Iterable[Module]) -> str:
    """Return the names of modules, in one text."""
    return ", ".join(module.name for module in modules)

"""From the words of `kbz upgrade` to what it would do: every refusal comes from here, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    require_converged,
    require_free,
    require_heard,
)
from keybuzz.engine.upgrade.over import over_versions
from keybuzz.engine.upgrade.record import Record
from keybuzz.engine.upgrade.tables import Meant, meant
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import NothingToDoError, RefusedError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.upgrades import referred, shown, version_of
from keybuzz.site.files.problems import read_file
from keybuzz.site.load import LIMIT
from keybuzz.site.module import Module
from keybuzz.site.site import Site
from keybuzz.site.versions import Entry, with_entries


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
    record = _way_back(found, known) if words.back else _way_on(site, found, known, words)
    chain = choose(tuple(one.name for one in found.users))
    lifted = lift(words.lifted, words.reason if words.lifted else "", chain)
    selected = workspace.present(workspace.select(found.users, ()))
    require_awake(workspace, selected, "an upgrade replaces every member")
    with leases(site.settings.state / "leases", workspace.lease_names(selected), workspace.command):
        pass  # another run is told at once, and not after the hosts were asked; what follows takes them again
    begun = known is not None and not known.done and known.former == record.former
    goes_on = words.back or begun or known == record
    if not goes_on:
        now = survey(workspace, chain, selected)
        require_heard(now)
        require_converged(now, found.users)
        if not words.without_backup:
            require_backup(workspace, found.table)
    entries = record.before if words.back else _entries(site, found, record, words.reason)
    after = with_entries(content, entries, str(path))
    would = over_versions(workspace, after, str(path))
    then = survey(would, chain, selected)
    require_heard(then)
    require_free(would, then, found.users, lifted)
    return Prepared(
        found, chain, selected, record, words.back, lifted, path, content, after, then,
        _allowed(found, record, back=words.back),
    )  # fmt: skip


def _way_back(found: Meant, known: Record | None) -> Record:
    if known is None:
        raise NothingToDoError(
            f"no upgrade of {found.table.image} is known that could be undone",
            hint="docs/how-to/upgrade-an-image.md: the way back by hand",
        )
    found.table.require_back(known.former, known.target)
    return known


def _way_on(site: Site, found: Meant, known: Record | None, words: Words) -> Record:
    """Return the record of this upgrade: the one that has begun, or a new one that the table allows."""
    current = site.image(found.table.image)
    target = referred(current, words.tag)
    if known is not None and not known.done and known.target != target:
        if found.table.closed_behind(known.former, known.target):
            # There is no way back, so the way out of a bad release is one after it.
            for running in (known.former, known.target):
                found.table.require(running, target)
            return replace(known, target=target)
        raise RefusedError(
            f"an upgrade from {known.former} to {known.target} has begun and is not complete",
            where=found.table.image,
            hint=f"{proposed('kbz', 'upgrade', words.module, '--to', known.target)} ends it, --back undoes it",
        )
    if known is not None and known.target == target and current in (target, known.former):
        return replace(known, done=False) if current != target else known
    if current == target:
        raise NothingToDoError(
            f"versions.yaml says {target} already",
            hint=f"{proposed('kbz', 'run', words.module)} brings it about",
        )
    found.table.require(current, target)
    before = {name: Entry.of(site.versions[name]) for name in found.images}
    return Record(found.table.image, target, current, before)


def _entries(site: Site, found: Meant, record: Record, reason: str) -> dict[str, Entry]:
    """Return what versions.yaml is to say; an entry that says it already stays."""
    wanted: dict[str, Entry] = {}
    table = found.table
    for name in found.images:
        version = site.versions[name]
        pattern = next((item.pattern for item in table.also if item.image == name), None)
        reference = record.target
        if pattern is not None:
            reference = pattern.sub(shown(version_of(record.target)), version.reference)
        if reference == version.reference:
            continue
        if reference == version.frozen:
            wanted[name] = Entry()
            continue
        if pattern is not None and version.reason:
            wanted[name] = Entry(reference, version.reason)
            continue
        if not reason:
            raise UsageError(
                f"{reference} is not the frozen tag of {name}: that needs --reason TEXT (VER-1)",
                hint="who decided it, and why; it is written into versions.yaml",
            )
        wanted[name] = Entry(reference, reason)
    return wanted


def _allowed(found: Meant, record: Record, *, back: bool) -> str:
    table = found.table
    if back:
        return f"back from {record.target} to {record.former}"
    move = table.require(record.former, record.target)
    text = (
        f"{record.former} to {record.target}, allowed by: {move.source if move else table.source}"
    )
    if move is not None and move.first:
        text += f"\nkbz does not check, so check it before: {move.first}"
    if why := table.closed_behind(record.former, record.target):
        text += f"\nno way back once a member runs it: {why}"
    return text


def complete(state: Path, prepared: Prepared) -> None:
    """Keep that it is complete; after a way back there is nothing left to undo."""
    if prepared.back:
        records.forget(state, prepared.record.image)
    else:
        records.write(state, prepared.record.ended())


def names(modules: Iterable[Module]) -> str:
    """Return the names of modules, in one text."""
    return ", ".join(module.name for module in modules)

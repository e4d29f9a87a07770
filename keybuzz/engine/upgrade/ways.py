"""Which way an upgrade goes: a new one, one that has begun, or back; and what versions.yaml is to say."""

from __future__ import annotations

from keybuzz.engine.upgrade.record import Record
from keybuzz.engine.upgrade.tables import Meant
from keybuzz.model.core.errors import NothingToDoError, RefusedError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.upgrades import referred
from keybuzz.site.site import Site
from keybuzz.site.versions import Entry

_PAGE = "docs/how-to/upgrade-an-image.md"


def way_back(site: Site, found: Meant, known: Record | None) -> Record:
    """Return the upgrade that is to be undone; it is the last thing that versions.yaml was changed for."""
    if known is None:
        raise NothingToDoError(
            f"no upgrade of {found.table.image} is known that could be undone",
            hint=f"{_PAGE}: the way back by hand",
        )
    for name, allowed in between(site, found, known).items():
        current = site.versions[name].reference
        if current not in allowed:
            raise RefusedError(
                f"versions.yaml says {current}, and the last upgrade led from {allowed[0]} to {allowed[1]}: "
                "it was changed since, and there is nothing that --back could undo",
                where=name,
                hint=f"{_PAGE}: another version by hand",
            )
    return known


def way_on(site: Site, found: Meant, known: Record | None, module: str, tag: str) -> Record:
    """Return the record of this upgrade: the one that has begun, or a new one that the table allows.

    A record of which versions.yaml says neither of its two is past: it was changed in another way since.
    """
    current = found.current(site)
    target = referred(current, tag)
    if known is not None and has_begun(site, found, known):
        return known if known.target == target else _further(found, known, module, target)
    if current == target:
        raise NothingToDoError(
            f"versions.yaml says {target} already",
            hint=f"{proposed('kbz', 'run', module)} brings it about",
        )
    found.table.require(current, target)
    before = {name: Entry.of(site.versions[name]) for name in found.images}
    return Record(found.table.image, target, current, before)


def has_begun(site: Site, found: Meant, known: Record) -> bool:
    """Return whether an upgrade has changed versions.yaml, and its roll has not ended."""
    return not known.done and found.current(site) == known.target


def _further(found: Meant, known: Record, module: str, target: str) -> Record:
    """Return the upgrade that has begun with a later target, which both kinds of members may take."""
    try:
        found.table.require(known.target, target)
        found.table.require(known.former, target)
    except RefusedError as refused:
        raise RefusedError(
            f"an upgrade from {known.former} to {known.target} has begun and is not complete: {refused.what}",
            where=found.table.image,
            hint=f"{proposed('kbz', 'upgrade', module, '--to', known.target)} ends it, and so does a later release "
            "that may follow both; --back undoes it where the table has a way back",
        ) from refused
    return Record(known.image, target, known.former, known.before)


def between(site: Site, found: Meant, known: Record) -> dict[str, tuple[str, str]]:
    """Return, for each image of an upgrade, the reference before it and the one that it leads to."""
    pairs: dict[str, tuple[str, str]] = {}
    for name in found.images:
        version = site.versions[name]
        former = known.before[name].reference if name in known.before else version.reference
        former = former or version.frozen
        pairs[name] = former, found.target(name, former, known.target)
    return pairs


def entries(site: Site, found: Meant, record: Record, reason: str) -> dict[str, Entry]:
    """Return what versions.yaml is to say; an entry that says it already stays."""
    wanted: dict[str, Entry] = {}
    for name in found.images:
        version = site.versions[name]
        reference = found.target(name, version.reference, record.target)
        if reference == version.reference:
            continue
        if reference == version.frozen:
            wanted[name] = Entry()
            continue
        if name != found.table.image and version.reason:
            wanted[name] = Entry(reference, version.reason)
            continue
        if not reason:
            raise UsageError(
                f"{reference} is not the frozen tag of {name}: that needs --reason TEXT (VER-1)",
                hint="who decided it, and why; it is written into versions.yaml",
            )
        wanted[name] = Entry(reference, reason)
    return wanted


def allowed(found: Meant, record: Record, *, back: bool) -> str:
    """Return what allows the step, in words."""
    table = found.table
    if back:
        return f"back from {record.target} to {record.former}"
    move = table.require(record.former, record.target)
    source = move.source if move else table.source
    text = f"{record.former} to {record.target}, allowed by: {source}"
    if why := table.closed_behind(record.former, record.target):
        text += f"\nno way back once a member runs it: {why}"
    return text

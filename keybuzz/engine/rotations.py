"""What can be rotated on a site: which modules a rotation changes, and which freezes must be lifted for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module, Rotation
from keybuzz.site.site import Site


@dataclass(frozen=True, slots=True)
class Known:
    """One rotation of a site."""

    module: Module
    rotation: Rotation
    followers: tuple[Module, ...]
    """Modules that take the value after the cluster, in this order."""
    frozen: tuple[str, ...]
    """Modules that it changes and that the site has frozen (FRZ-1): each must be lifted."""

    @property
    def changes(self) -> tuple[str, ...]:
        """Return the names of all modules that it changes, in their order."""
        return (self.module.name, *(module.name for module in self.followers))

    @property
    def lifts(self) -> str:
        """Return the options that lift all of it; empty when nothing is frozen."""
        return " ".join(f"--lift-freeze {name}" for name in self.frozen)


def offered(site: Site) -> tuple[Known, ...]:
    """Return every rotation that kbz does, in the order of the modules; those that are always refused are left out."""
    return tuple(item for item in _all(site) if not item.rotation.refused)


def find_rotation(site: Site, service: str) -> Known:
    """Return the rotation of that name; UsageError when there is none, RefusedError when kbz never does it."""
    known = {item.rotation.service: item for item in _all(site)}
    if service not in known:
        names = [name for name, item in known.items() if not item.rotation.refused]
        raise UsageError(f"there is no rotation {service}", hint=nearest(service, names))
    found = known[service]
    if found.rotation.refused:
        raise RefusedError(
            f"{service} is not rotated by kbz: {found.rotation.refused}",
            where=service,
            hint="nothing was changed; docs/credentials.md says why",
        )
    return found


def require_lifted(found: Known, lifted: Iterable[str]) -> None:
    """Ask for every lift at once, before a value is made: half a rotation is worse than none (FRZ-1)."""
    if set(found.frozen) <= set(lifted):
        return
    verb = "is" if len(found.frozen) == 1 else "are"
    raise RefusedError(
        f"{' and '.join(found.frozen)} {verb} frozen (FRZ-1), and a rotation changes them",
        where=found.module.name,
        hint=f"for this one: {found.lifts} --reason 'who decided it, and why'",
    )


def _all(site: Site) -> Iterator[Known]:
    modules = {module.name: module for module in all_modules()}
    for module in modules.values():
        for rotation in (*module.rotations, *module.account_rotations(site)):
            named = tuple(modules[name] for name in rotation.followers)
            followers = tuple(found for found in named if site.members(found.group))
            changed = (module, *followers)
            frozen = [m.name for m in changed if (m.frozen_as or m.group) in site.policies.freeze]
            yield Known(module, rotation, followers, tuple(frozen))

"""The modules: every folder under tasks/ that has a MODULE. A new module is a new folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keybuzz.site.module import Module


def all_modules() -> tuple[Module, ...]:
    """Return the modules in the owner's order (ORD-1)."""
    import tasks

    found = [
        import_module(f"tasks.{entry.name}").MODULE
        for entry in iter_modules(tasks.__path__)
        if entry.ispkg
    ]
    return tuple(sorted(found, key=lambda module: (module.number, module.step)))

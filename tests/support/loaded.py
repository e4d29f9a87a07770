"""Imports what any verb of kbz may need: for the process that tests/support/warm.py forks."""

from __future__ import annotations

import gc
from importlib import import_module
from pkgutil import walk_packages

for _package in ("keybuzz.cli", "keybuzz.engine", "keybuzz.report", "keybuzz.transport", "tasks"):
    for _entry in walk_packages(import_module(_package).__path__, f"{_package}."):
        import_module(_entry.name)

# A collection in a fork would write to every page that it shares with this process, and copy it.
gc.collect()
gc.freeze()

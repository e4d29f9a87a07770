"""What modules bring to the policy: the package `policy` of each that has one (tasks/<module>/policy).

It holds, where it has them:

- `RULES`: rules about files of applications that use its service;
- `CLIENTS`: a program that connects to its service, to its options (keybuzz.policy.readers.code.clients).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from keybuzz.site.modules import all_modules

RULES, CLIENTS = "RULES", "CLIENTS"


@cache
def packages() -> tuple[ModuleType, ...]:
    """Return the modules' packages, in the owner's order of modules."""
    names = (f"tasks.{module.name.replace('-', '_')}.policy" for module in all_modules())
    return tuple(import_module(name) for name in names if find_spec(name))
